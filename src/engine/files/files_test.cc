#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <vector>

#include "engine/files/atomic_file.h"
#include "engine/files/ring_file.h"
#include "engine/files/writer.h"

namespace komainu::engine {
namespace {

// A folder of its own, gone with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "komainu-files-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::vector<std::string> records(const std::string& path) {
  std::vector<std::string> all;
  const auto result = read_ring_file(path, [&](std::string_view record) { all.emplace_back(record); });
  EXPECT_TRUE(result) << result.error().what;
  return all;
}

TEST(AtomicFile, ReplacesTheWholeFileAndKeepsItPrivate) {
  Folder folder;
  const std::string path = folder / "store";
  ASSERT_TRUE(write_atomically(path, "old", 0600));
  ASSERT_TRUE(write_atomically(path, "new", 0600));
  EXPECT_EQ(**read_whole(path, 100), "new");
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(AtomicFile, TellsAMissingFileFromOneThatCannotBeRead) {
  Folder folder;
  EXPECT_EQ(*read_whole(folder / "none", 100), std::nullopt);
  EXPECT_FALSE(read_whole(folder / "", 100));
  ASSERT_TRUE(write_atomically(folder / "big", std::string(200, 'x'), 0600));
  EXPECT_FALSE(read_whole(folder / "big", 100));
}

TEST(RingFile, KeepsTheLastRecordsInOrderOverRestarts) {
  Folder folder;
  const std::string path = folder / "stream";
  for (int run = 0; run < 3; ++run) {
    RingFile ring(path, 4096);
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE(ring.append(std::to_string(run * 100 + i) + std::string(40, '.')));
  }
  const std::vector<std::string> kept = records(path);
  ASSERT_FALSE(kept.empty());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(kept[i].substr(0, 3), std::to_string(300 - kept.size() + i));
  }
  EXPECT_LT(kept.size(), 200u) << "it is bounded";
}

TEST(RingFile, GoesOnBehindTheLastWholeRecordAfterAPowerCut) {
  Folder folder;
  const std::string path = folder / "stream";
  {
    RingFile ring(path);
    ASSERT_TRUE(ring.append("one"));
    ASSERT_TRUE(ring.append("two"));
  }
  std::filesystem::resize_file(path + ".1", std::filesystem::file_size(path + ".1") - 1);
  EXPECT_EQ(records(path), std::vector<std::string>{"one"});
  RingFile ring(path);
  ASSERT_TRUE(ring.append("three"));
  EXPECT_EQ(records(path), (std::vector<std::string>{"one", "three"}));
}

TEST(RingFile, RefusesWhatItDidNotWrite) {
  Folder folder;
  ASSERT_TRUE(write_atomically(folder / "stream.0", "something else altogether", 0600));
  EXPECT_FALSE(read_ring_file(folder / "stream", [](std::string_view) {}));
}

TEST(Writer, TellsTheLoopWhatBecameOfAJobAndRefusesMoreThanItsBound) {
  boost::asio::io_context loop;
  Writer writer(loop);
  std::vector<bool> results;
  ASSERT_TRUE(writer.submit([] { return Result<void>{}; },
                            [&](Result<void> r) { results.push_back(r.has_value()); }));
  ASSERT_TRUE(writer.submit([]() -> Result<void> { return failure("no space left"); },
                            [&](Result<void> r) { results.push_back(r.has_value()); }));
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (results.size() < 2 && std::chrono::steady_clock::now() < until) {
    loop.restart();
    loop.run_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(results, (std::vector<bool>{true, false}));

  std::mutex gate;
  gate.lock();
  int accepted = 0;
  for (std::size_t i = 0; i < Writer::kMaxWaiting + 10; ++i) {
    accepted += writer.submit(
        [&] {
          std::lock_guard wait(gate);
          return Result<void>{};
        },
        [](Result<void>) {});
  }
  EXPECT_LE(accepted, static_cast<int>(Writer::kMaxWaiting) + 1);
  gate.unlock();
}

}  // namespace
}  // namespace komainu::engine

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <mutex>
#include <thread>
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

struct Kept {
  std::vector<std::string> records;
  std::vector<RingGap> gaps;
  Result<void> read;
};
Kept kept(const std::string& path) {
  Kept kept;
  kept.read = read_ring_file(path, {[&](std::string_view record) { kept.records.emplace_back(record); },
                                    [&](const RingGap& gap) { kept.gaps.push_back(gap); }});
  return kept;
}
std::vector<std::string> records(const std::string& path) {
  const Kept all = kept(path);
  EXPECT_TRUE(all.read) << all.read.error().what;
  return all.records;
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
  const std::string path = folder / "stream";
  ASSERT_TRUE(write_atomically(path + ".0", "something else altogether", 0600));
  const Kept none = kept(path);
  ASSERT_FALSE(none.read);
  EXPECT_EQ(none.read.error().what, "cannot read the stream: " + path + ".0 was not written by komainud");
}

TEST(RingFile, SaysWhereTheOlderHalfIsDamaged) {
  Folder folder;
  const std::string path = folder / "stream";
  {
    RingFile ring(path, 100);
    for (const char* record : {"first", "second", "third"})
      ASSERT_TRUE(ring.append(record + std::string(20, '.')));
  }
  std::filesystem::resize_file(path + ".1", std::filesystem::file_size(path + ".1") - 1);
  const Kept damaged = kept(path);
  ASSERT_EQ(damaged.gaps.size(), 1u);
  EXPECT_EQ(damaged.gaps[0].why, RingGap::Why::kDamaged) << "the newer half was begun behind a whole record";
  EXPECT_EQ(damaged.gaps[0].error.what.substr(0, path.size() + 26), path + ".1 is damaged at byte 49: ");
  EXPECT_EQ(damaged.records,
            (std::vector<std::string>{"first" + std::string(20, '.'), "third" + std::string(20, '.')}));
}

// A Writer on a disk that answers only once it is let.
struct HeldDisk {
  boost::asio::io_context loop;
  std::mutex gate;
  std::unique_lock<std::mutex> held{gate};
  std::vector<std::string> written;  // the writer's, until it is idle
  Writer writer{loop};

  Writer::Job write(const std::string& what) {
    return [this, what]() -> Result<void> {
      std::lock_guard wait(gate);
      written.push_back(what);
      return what == "bad" ? Result<void>(failure("no space left")) : Result<void>();
    };
  }
  // Something is being written, so that all else waits.
  void occupy() {
    ASSERT_TRUE(writer.submit(write("first"), [](const Result<void>&) {}));
    while (writer.waiting() > 0) std::this_thread::yield();
  }
  void finish() {
    held.unlock();
    ASSERT_TRUE(writer.flush(std::chrono::seconds(30)));
    loop.restart();
    loop.poll();
  }
};

TEST(Writer, TellsTheLoopWhatBecameOfAJob) {
  HeldDisk disk;
  std::vector<bool> results;
  const Writer::Done note = [&](const Result<void>& result) { results.push_back(result.has_value()); };
  ASSERT_TRUE(disk.writer.submit(disk.write("good"), note));
  ASSERT_TRUE(disk.writer.submit(disk.write("bad"), note));
  disk.finish();
  EXPECT_EQ(results, (std::vector<bool>{true, false}));
}

TEST(Writer, WritesTheNewestOfAFileOnceAndTellsAllWhoWait) {
  HeldDisk disk;
  disk.occupy();
  std::vector<int> told;
  for (int i = 0; i < 3; ++i) {
    disk.writer.put("/store", disk.write("store " + std::to_string(i)),
                    [&told, i](const Result<void>& result) { told.push_back(result ? i : -1); });
  }
  disk.finish();
  EXPECT_EQ(disk.written, (std::vector<std::string>{"first", "store 2"}));
  EXPECT_EQ(told, (std::vector<int>{0, 1, 2}));
}

TEST(Writer, TellsAFailureToEachWhoWaitsForTheFile) {
  HeldDisk disk;
  disk.occupy();
  int failed = 0;
  for (const char* what : {"good", "bad"})
    disk.writer.put("/store", disk.write(what), [&](const Result<void>& result) { failed += !result; });
  disk.finish();
  EXPECT_EQ(failed, 2);
}

TEST(Writer, AFullQueueNeitherRefusesAFileNorDelaysIt) {
  HeldDisk disk;
  disk.occupy();
  std::size_t accepted = 0;
  while (disk.writer.submit(disk.write("record"), [](const Result<void>&) {})) ++accepted;
  EXPECT_EQ(accepted, Writer::kMaxWaiting);
  bool stored = false;
  disk.writer.put("/store", disk.write("store"), [&](const Result<void>& result) { stored = !!result; });
  disk.finish();
  EXPECT_TRUE(stored);
  ASSERT_EQ(disk.written.size(), accepted + 2);
  EXPECT_EQ(disk.written[1], "store");
}

TEST(Writer, BoundsItsQueueByBytes) {
  HeldDisk disk;
  disk.occupy();
  const Writer::Done nothing = [](const Result<void>&) {};
  EXPECT_TRUE(disk.writer.submit(disk.write("large"), nothing, Writer::kMaxWaitingBytes - 10));
  EXPECT_FALSE(disk.writer.submit(disk.write("larger"), nothing, 11));
  EXPECT_TRUE(disk.writer.submit(disk.write("small"), nothing, 10));
  disk.finish();
  EXPECT_TRUE(disk.writer.submit(disk.write("large"), nothing, Writer::kMaxWaitingBytes));
  EXPECT_TRUE(disk.writer.flush(std::chrono::seconds(30)));
}

TEST(Writer, TellsTheOldestOfTooManyCallsThatItsFileWasNotWritten) {
  HeldDisk disk;
  disk.occupy();
  std::vector<std::size_t> failed;
  for (std::size_t i = 0; i <= Writer::kMaxCalls; ++i) {
    disk.writer.put("/store", disk.write("store"), [&failed, i](const Result<void>& result) {
      if (!result) failed.push_back(i);
    });
  }
  disk.loop.poll();
  EXPECT_EQ(failed, std::vector<std::size_t>{0});
  disk.finish();
  EXPECT_EQ(failed, std::vector<std::size_t>{0});
}

TEST(Writer, FlushingGivesUpOnADiskThatHangs) {
  HeldDisk disk;
  disk.occupy();
  EXPECT_FALSE(disk.writer.flush(std::chrono::milliseconds(1)));
  disk.finish();
}

}  // namespace
}  // namespace komainu::engine

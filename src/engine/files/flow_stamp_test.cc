#include "engine/files/flow_stamp.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace komainu::engine {
namespace {

constexpr std::uint64_t kBoot = 0xdeadbeef;

// A path on a tmpfs (shm_overview(7)) that is gone with the test.
struct Memory {
  std::string folder = "/dev/shm/komainu-stamp-XXXXXX";
  std::string path;
  Memory() { path = std::string(::mkdtemp(folder.data())) + "/last-flow"; }
  ~Memory() { std::filesystem::remove_all(folder); }
  void holds(const std::string& text) const { std::ofstream(path) << text; }
};

TEST(FlowStamp, ASuccessorOfTheSameBootReadsWhenTheStreamLastFlowed) {
  const Memory memory;
  const LocalTime at = boot_time() - 5s;
  {
    FlowStamp stamp(memory.path, kBoot);
    ASSERT_TRUE(stamp.open());
    EXPECT_FALSE(stamp.read()) << "it has not flowed yet";
    stamp.flowed({at - 3s, std::nullopt});
    EXPECT_EQ(stamp.read(), (Flow{at - 3s, std::nullopt}));
    stamp.flowed({at, at + 10s});
    stamp.flowed({at + FlowStamp::kEvery / 2, at + 11s});
  }
  FlowStamp successor(memory.path, kBoot);
  EXPECT_EQ(successor.read(), (Flow{at, at + 10s})) << "it is not written more often than that";
  ASSERT_TRUE(successor.open());
  EXPECT_EQ(successor.read(), (Flow{at, at + 10s})) << "it stands until the stream flows again";
}

TEST(FlowStamp, AnotherBootsIsIgnored) {
  const Memory memory;
  FlowStamp stamp(memory.path, kBoot);
  ASSERT_TRUE(stamp.open());
  stamp.flowed({boot_time(), {}});
  EXPECT_FALSE(FlowStamp(memory.path, kBoot + 1).read());
}

TEST(FlowStamp, OneThatMakesNoSenseIsIgnored) {
  const Memory memory;
  const FlowStamp stamp(memory.path, kBoot);
  EXPECT_FALSE(stamp.read()) << "there is none";
  const auto later = (boot_time() + 7200s).since_boot.count();
  for (const std::string& text :
       {std::string(), std::string("deadbeef 1 0\n"), fmt::format("{:016x} {:020}\n", kBoot, 1),
        fmt::format("{:016x} {:020} {:020}\n", kBoot, later, 0),
        fmt::format("{:016x} {:020} {:020}\n", kBoot, 1, 2 * later),
        fmt::format("{:016x} {:>20} {:020}\n", kBoot, 1, 0),
        fmt::format("{:016x}x{:020} {:020}\n", kBoot, 1, 0),
        fmt::format("{:016x} {:020} {:020}\n\n", kBoot, 1, 0),
        fmt::format("{:016x} {:020} {:020}\n", kBoot, 0, 0)}) {
    memory.holds(text);
    EXPECT_FALSE(stamp.read()) << text;
  }
  memory.holds(fmt::format("{:016x} {:020} {:020}\n", kBoot, 1, 0));
  EXPECT_TRUE(stamp.read());
}

TEST(FlowStamp, IsGoneWhenItWasRemoved) {
  const Memory memory;
  FlowStamp stamp(memory.path, kBoot);
  ASSERT_TRUE(stamp.open());
  stamp.flowed({boot_time(), {}});
  stamp.remove();
  stamp.flowed({boot_time() + 1s, {}});
  EXPECT_FALSE(std::filesystem::exists(memory.path));
}

TEST(FlowStamp, IsNeverKeptOnADisk) {
  FlowStamp elsewhere("/proc/last-flow", kBoot);
  const Result<void> opened = elsewhere.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().what, "cannot keep /proc/last-flow: its folder is not on a tmpfs");
  elsewhere.flowed({boot_time(), {}});
  EXPECT_FALSE(elsewhere.read());
  EXPECT_FALSE(FlowStamp("/nonexistent/last-flow", kBoot).open());
}

}  // namespace
}  // namespace komainu::engine

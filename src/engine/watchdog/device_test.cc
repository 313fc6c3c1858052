#include "engine/watchdog/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/posix.h"
#include "engine/watchdog/lab_device.h"

namespace komainu::engine {
namespace {

using ::testing::HasSubstr;

std::string why_not(const std::string& path) {
  const auto opened = open_watchdog(path);
  EXPECT_FALSE(opened);
  return opened ? "" : opened.error().what + ": " + opened.error().help;
}

TEST(KernelWatchdog, SaysWhatToDoWhereThereIsNone) {
  EXPECT_THAT(why_not("/dev/watchdog-of-nobody"),
              HasSubstr("cannot open the watchdog /dev/watchdog-of-nobody: No such file or directory: this "
                        "machine has none, or its driver is not loaded"));
}

TEST(KernelWatchdog, RefusesWhatIsNoWatchdog) {
  EXPECT_THAT(why_not("/dev/null"), HasSubstr("/dev/null is no watchdog"));
}

struct Folder {
  std::string path = "/tmp/komainu-watchdog-XXXXXX";
  Folder() { ::mkdtemp(path.data()); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string holds(const std::string& name, const std::string& text) const {
    std::ofstream(path + "/" + name) << text;
    return path + "/" + name;
  }
};

TEST(LabWatchdog, IsRefusedOutsideALab) {
  const Folder folder;
  for (const std::string& container : {folder.path + "/none", folder.holds("other", "lxc\n")}) {
    const auto opened = LabWatchdog::open("/run/lab/watchdog", container);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().what, HasSubstr("a switch of komainu's lab, and this machine is in none"));
  }
}

// Answers the first line with `reply`, and hears the rest.
class Switch {
 public:
  Switch(const std::string& path, std::string reply) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = Fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    thread_ = std::thread([this, reply = std::move(reply)] {
      const Fd connection{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
      char buffer[256];
      for (bool first = true;; first = false) {
        const ssize_t size = ::read(connection.get(), buffer, sizeof buffer);
        if (size <= 0) return;
        heard_.append(buffer, static_cast<std::size_t>(size));
        if (first) {
          EXPECT_EQ(::write(connection.get(), reply.data(), reply.size()), std::ssize(reply));
        }
      }
    });
  }
  ~Switch() {
    if (thread_.joinable()) thread_.join();
  }
  // Once the other side has closed.
  std::string heard() {
    thread_.join();
    return heard_;
  }

 private:
  Fd listener_;
  std::string heard_;
  std::thread thread_;
};

TEST(LabWatchdog, BelievesTheTimeoutThatIsReadBack) {
  const Folder folder;
  Switch dead_man(folder.path + "/switch", "ok 7000\n");
  {
    auto opened = LabWatchdog::open(folder.path + "/switch", folder.holds("container", "lab\n"));
    ASSERT_TRUE(opened) << opened.error().what;
    EXPECT_TRUE((*opened)->set_timeout(5s));
    EXPECT_EQ((*opened)->timeout(), Duration{7s});
    EXPECT_TRUE((*opened)->feed());
    EXPECT_TRUE((*opened)->disarm());
  }
  EXPECT_EQ(dead_man.heard(), "timeout 5000\nfeed\ndisarm\n");
}

TEST(LabWatchdog, SaysThatItBelongsToSomebodyElse) {
  const Folder folder;
  const Switch dead_man(folder.path + "/switch", "error it belongs to another process\n");
  auto opened = LabWatchdog::open(folder.path + "/switch", folder.holds("container", "lab\n"));
  ASSERT_TRUE(opened);
  const Result<void> set = (*opened)->set_timeout(5s);
  ASSERT_FALSE(set);
  EXPECT_THAT(set.error().what, HasSubstr("it belongs to another process"));
}

}  // namespace
}  // namespace komainu::engine

// A mounted file system that never answers, as on a disk that died: a FUSE server that takes every request
// and replies to none. Who touches it waits in the kernel, and SIGKILL does not end that, until revive().
// Needs root. The protocol is <linux/fuse.h>.
#pragma once

#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mount.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>

#include "engine/posix.h"

namespace komainu::engine::testing {

class DeadFilesystem {
 public:
  DeadFilesystem() : device_(::open("/dev/fuse", O_RDWR | O_CLOEXEC)), stop_(::eventfd(0, EFD_CLOEXEC)) {
    char path[] = "/tmp/komainu-dead-XXXXXX";
    if (::mkdtemp(path)) path_ = path;
    const std::string options =
        "fd=" + std::to_string(device_.get()) + ",rootmode=40000,user_id=0,group_id=0";
    mounted_ = ::mount("dead", path, "fuse", MS_NOSUID | MS_NODEV, options.c_str()) == 0;
    EXPECT_TRUE(mounted_) << "cannot mount a FUSE file system: " << errno_text();
    if (!mounted_) return;
    // Until its first exchange is over, the kernel holds all requests back, where a signal still reaches
    // them.
    answer_init();
    server_ = std::thread([this] { serve(); });
  }
  ~DeadFilesystem() {
    revive();
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
    ::rmdir(path_.c_str());
  }

  std::string file() const { return path_ + "/program"; }

  // Requests that nobody will answer: how many processes wait for it, at least.
  int dropped() const { return dropped_; }

  // Closing the device fails every request that waits, and all that come.
  void revive() {
    if (!server_.joinable()) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] ssize_t n = ::write(stop_.get(), &one, sizeof one);
    server_.join();
    device_ = Fd();
  }

 private:
  void answer_init() {
    fuse_in_header request{};
    char buffer[kRequestSize];
    if (::read(device_.get(), buffer, sizeof buffer) > 0) std::memcpy(&request, buffer, sizeof request);
    EXPECT_EQ(request.opcode, static_cast<std::uint32_t>(FUSE_INIT));
    struct {
      fuse_out_header header;
      fuse_init_out init;
    } answer{};
    answer.header.len = sizeof answer;
    answer.header.unique = request.unique;
    answer.init.major = FUSE_KERNEL_VERSION;
    answer.init.minor = FUSE_KERNEL_MINOR_VERSION;
    answer.init.max_write = 4096;
    EXPECT_EQ(::write(device_.get(), &answer, sizeof answer), static_cast<ssize_t>(sizeof answer))
        << errno_text();
  }

  // Reads requests, so that nobody can take them back, and drops them.
  void serve() {
    char buffer[kRequestSize];
    for (;;) {
      pollfd events[2] = {{device_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
      ::poll(events, 2, -1);
      if (events[1].revents) return;
      if (::read(device_.get(), buffer, sizeof buffer) > 0) ++dropped_;
    }
  }

  static constexpr std::size_t kRequestSize = 16 * FUSE_MIN_READ_BUFFER;
  Fd device_;
  Fd stop_;
  std::string path_;
  bool mounted_ = false;
  std::atomic<int> dropped_ = 0;
  std::thread server_;
};

}  // namespace komainu::engine::testing

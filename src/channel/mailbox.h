// A bounded queue between two threads, with a file descriptor that is readable while something waits.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

namespace komainu::channel {

template <class T>
class Mailbox {
 public:
  Mailbox(std::size_t max_items, std::size_t max_bytes)
      : max_items_(max_items), max_bytes_(max_bytes), fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  ~Mailbox() { close(fd_); }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  int fd() const { return fd_; }

  // False: full, and `item` is dropped. `bytes` is what it weighs beside itself.
  bool push(T item, std::size_t bytes = 0) {
    std::lock_guard lock(mutex_);
    if (items_.size() >= max_items_ || bytes > max_bytes_ - bytes_) return false;
    bytes_ += bytes;
    append(std::move(item));
    return true;
  }

  // For the few items that must arrive even if it is full.
  void push_always(T item) {
    std::lock_guard lock(mutex_);
    append(std::move(item));
  }

  std::vector<T> take() {
    std::vector<T> taken;
    std::lock_guard lock(mutex_);
    taken.swap(items_);
    bytes_ = 0;
    if (!taken.empty()) {
      std::uint64_t count = 0;
      [[maybe_unused]] auto n = read(fd_, &count, sizeof count);
    }
    return taken;
  }

  std::size_t size() const {
    std::lock_guard lock(mutex_);
    return items_.size();
  }

 private:
  void append(T item) {
    items_.push_back(std::move(item));
    if (items_.size() == 1) {
      const std::uint64_t one = 1;
      [[maybe_unused]] auto n = write(fd_, &one, sizeof one);
    }
  }

  const std::size_t max_items_;
  const std::size_t max_bytes_;
  const int fd_;
  mutable std::mutex mutex_;
  std::vector<T> items_;
  std::size_t bytes_ = 0;
};

}  // namespace komainu::channel

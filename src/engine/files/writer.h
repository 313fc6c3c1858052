// The one thread that waits for disks. Jobs are done in order; what came of one is told on the loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "base/result.h"

namespace komainu::engine {

class Writer {
 public:
  // More jobs than this wait only for a disk that is dead or drowning; a new one fails then.
  static constexpr std::size_t kMaxWaiting = 256;

  explicit Writer(boost::asio::io_context& loop);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  // Does not wait for a job that hangs: the thread is left behind, and the process must end.
  ~Writer();

  using Job = std::function<Result<void>()>;
  // False, and no call of `done`, when too many jobs wait.
  bool submit(Job job, std::function<void(Result<void>)> done);
  std::size_t waiting() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace komainu::engine

// The one thread that waits for disks; what came of a job is told on the loop.
//
//   put(path)    a file's newest contents: a place of its own, never refused    ─┐  first
//   submit()     a queue, bounded by jobs and by bytes; beyond it they fail     ─┴─▶ one job at a time
//
// What must be written never waits behind, and is never refused because of, what may be dropped.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace komainu::engine {

class Writer {
 public:
  // More than this waits only for a disk that is dead or drowning; a new job fails then. The bytes are locked
  // in memory; two of the largest records fit.
  static constexpr std::size_t kMaxWaiting = 256;
  static constexpr std::size_t kMaxWaitingBytes = 16u << 20;
  // Calls that wait for one file; the oldest beyond them are told that it was not written.
  static constexpr std::size_t kMaxCalls = 256;

  using Job = std::function<Result<void>()>;
  using Done = std::function<void(const Result<void>&)>;

  explicit Writer(boost::asio::io_context& loop);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  // Does not wait for a job that hangs: the thread is left behind, and the process must end.
  ~Writer();

  // Has `path` written by `job`. One that waits for the same path and has not begun is replaced: its `done`
  // is then called with what came of the newer one, before the newer one's.
  void put(const std::string& path, Job job, Done done);

  // `bytes`: about what the job holds until it has been done. False, and no call of `done`, when too much
  // waits.
  bool submit(Job job, Done done, std::size_t bytes = 0);

  std::size_t waiting() const;

  // Waits until everything has been written, for at most `patience`; false: something has not. Calls `done`
  // of no job, as the loop does not run meanwhile: it is for the way out.
  bool flush(std::chrono::milliseconds patience);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace komainu::engine

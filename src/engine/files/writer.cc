#include "engine/files/writer.h"

#include <pthread.h>
#include <signal.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <memory>
#include <utility>

namespace komainu::engine {

struct Writer::Shared {
  explicit Shared(boost::asio::io_context& io) : loop(io) {}

  boost::asio::io_context& loop;
  mutable std::mutex mutex;
  std::condition_variable changed;
  struct Entry {
    Job job;
    std::function<void(Result<void>)> done;
  };
  std::deque<Entry> entries;
  bool closing = false;
  bool ended = false;

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return closing || !entries.empty(); });
      if (entries.empty()) break;
      Entry entry = std::move(entries.front());
      entries.pop_front();
      lock.unlock();
      Result<void> result = entry.job();
      lock.lock();
      if (closing) continue;
      boost::asio::post(loop, [done = std::move(entry.done), result = std::move(result)] { done(result); });
    }
    ended = true;
    changed.notify_all();
  }
};

Writer::Writer(boost::asio::io_context& loop) : shared_(std::make_shared<Shared>(loop)) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the loop's
  std::thread([shared = shared_] { shared->run(); }).detach();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Writer::~Writer() {
  std::unique_lock lock(shared_->mutex);
  shared_->closing = true;
  shared_->changed.notify_all();
  shared_->changed.wait_for(lock, std::chrono::seconds(2), [&] { return shared_->ended; });
}

bool Writer::submit(Job job, std::function<void(Result<void>)> done) {
  std::lock_guard lock(shared_->mutex);
  if (shared_->entries.size() >= kMaxWaiting) return false;
  shared_->entries.push_back({std::move(job), std::move(done)});
  shared_->changed.notify_all();
  return true;
}

std::size_t Writer::waiting() const {
  std::lock_guard lock(shared_->mutex);
  return shared_->entries.size();
}

}  // namespace komainu::engine

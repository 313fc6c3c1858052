#include "engine/files/writer.h"

#include <pthread.h>
#include <signal.h>

#include <boost/asio/post.hpp>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace komainu::engine {

namespace {
constexpr std::chrono::seconds kPatience{2};
}

struct Writer::Shared {
  explicit Shared(boost::asio::io_context& io) : loop(io) {}

  struct Entry {
    Job job;
    std::size_t bytes = 0;
    std::vector<Done> done;  // more than one where newer contents took the place of older ones
  };

  boost::asio::io_context& loop;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, Entry> places;  // by path
  std::deque<Entry> queue;
  std::size_t queued_bytes = 0;
  bool working = false;
  bool closing = false;
  bool ended = false;

  bool idle() const { return places.empty() && queue.empty(); }

  Entry next() {
    if (!places.empty()) return std::move(places.extract(places.begin()).mapped());
    Entry entry = std::move(queue.front());
    queue.pop_front();
    queued_bytes -= entry.bytes;
    return entry;
  }

  void tell(std::vector<Done> calls, Result<void> result) {
    boost::asio::post(loop, [calls = std::move(calls), result = std::move(result)] {
      for (const Done& done : calls) done(result);
    });
  }

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return closing || !idle(); });
      if (idle()) break;
      {
        Entry entry = next();
        working = true;
        lock.unlock();
        Result<void> result = entry.job();
        entry.job = nullptr;
        lock.lock();
        working = false;
        if (!closing) tell(std::move(entry.done), std::move(result));
      }
      changed.notify_all();
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
  shared_->changed.wait_for(lock, kPatience, [&] { return shared_->ended; });
}

void Writer::put(const std::string& path, Job job, Done done) {
  std::lock_guard lock(shared_->mutex);
  Shared::Entry& place = shared_->places[path];
  place.job = std::move(job);
  if (place.done.size() >= kMaxCalls) {
    shared_->tell({std::move(place.done.front())},
                  failure("cannot write " + path + ": its disk has not answered for long"));
    place.done.erase(place.done.begin());
  }
  place.done.push_back(std::move(done));
  shared_->changed.notify_all();
}

bool Writer::submit(Job job, Done done, std::size_t bytes) {
  std::lock_guard lock(shared_->mutex);
  if (shared_->queue.size() >= kMaxWaiting || shared_->queued_bytes + bytes > kMaxWaitingBytes) return false;
  Shared::Entry entry{std::move(job), bytes, {}};
  entry.done.push_back(std::move(done));
  shared_->queue.push_back(std::move(entry));
  shared_->queued_bytes += bytes;
  shared_->changed.notify_all();
  return true;
}

std::size_t Writer::waiting() const {
  std::lock_guard lock(shared_->mutex);
  return shared_->places.size() + shared_->queue.size();
}

bool Writer::flush(std::chrono::milliseconds patience) {
  std::unique_lock lock(shared_->mutex);
  return shared_->changed.wait_for(lock, patience, [&] { return shared_->idle() && !shared_->working; });
}

}  // namespace komainu::engine

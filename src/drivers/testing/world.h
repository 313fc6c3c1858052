// A world for unit tests: the tests say what the clock shows, what systemd and the kernel answer, and how
// programs end. Time passes only by FakeClock::advance(). Whole programs and namespaces are tested with the
// engine's services instead.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "drivers/driver.h"

namespace komainu::drivers::testing {

// Operations that wait for the same thing.
class Waiters {
 public:
  ~Waiters() { assert(waiting_.empty()); }
  Task<void> wait() {
    Operation<> operation([this, &operation] {
      std::erase(waiting_, &operation);
      operation.complete();
    });
    waiting_.push_back(&operation);
    co_await operation;
  }
  void wake() {
    for (Operation<>* operation : std::exchange(waiting_, {})) operation->complete();
  }
  std::size_t size() const { return waiting_.size(); }

 private:
  std::vector<Operation<>*> waiting_;
};

class FakeClock final : public Clock {
 public:
  LocalTime now() const override { return now_; }
  Task<void> sleep(Duration duration) override {
    if (duration <= Duration{0}) co_return;
    const auto at = sleepers_.emplace(now_ + duration, nullptr);
    Operation<> operation([this, at, &operation] {
      sleepers_.erase(at);
      operation.complete();
    });
    at->second = &operation;
    co_await operation;
  }
  void advance(Duration duration) {
    const LocalTime end = now_ + duration;
    while (!sleepers_.empty() && sleepers_.begin()->first <= end) {
      now_ = std::max(now_, sleepers_.begin()->first);
      Operation<>* operation = sleepers_.begin()->second;
      sleepers_.erase(sleepers_.begin());
      operation->complete();
    }
    now_ = end;
  }

 private:
  LocalTime now_{1h};
  std::multimap<LocalTime, Operation<>*> sleepers_;
};

class FakeReadiness final : public Readiness {
 public:
  Task<void> readable(int fd) override { return ready_[fd].wait(); }
  Task<void> writable(int fd) override { return ready_[fd].wait(); }
  void wake_all() {
    for (auto& [fd, waiters] : ready_) waiters.wake();
  }

 private:
  std::map<int, Waiters> ready_;
};

class FakeSpawner final : public Spawner {
 public:
  // None: the program does not end before it is cancelled.
  std::function<std::optional<Exit>(const Command&)> program = [](const Command&) { return Exit{}; };
  std::vector<Command> ran;
  std::vector<std::string> stuck;
  const std::vector<std::string>& stuck_agents() const override { return stuck; }

  Task<Result<Exit>> run(const Command& command) override {
    ran.push_back(command);
    std::optional<Exit> exit = program(command);
    if (exit) co_return std::move(*exit);
    auto stay = forever();
    co_await stay;
    co_return Exit{};
  }
};

class FakeFiles final : public Files {
 public:
  std::map<std::string, std::string> content;
  std::vector<std::pair<std::string, Secrecy>> read_files;

  Task<Result<std::string>> read(std::string path, std::size_t, Secrecy secrecy) override {
    read_files.emplace_back(path, secrecy);
    const auto it = content.find(path);
    if (it == content.end()) co_return failure("cannot read " + path + ": No such file or directory");
    co_return it->second;
  }
};

class FakeSystemd final : public Systemd {
 public:
  std::map<std::string, UnitState> units;
  std::vector<std::string> jobs;  // "start web.service", …
  // What a job does to the unit, and its result.
  std::function<Result<void>(const std::string& job, UnitState& unit)> work =
      [](const std::string& job, UnitState& unit) -> Result<void> {
    unit.active_state = job == "start" ? "active" : "inactive";
    return {};
  };
  std::optional<Error> gone;

  void set(const std::string& unit, UnitState state) {
    units[unit] = std::move(state);
    changes_.wake();
  }

  Task<Result<void>> start_unit(std::string unit) override { co_return job("start", unit); }
  Task<Result<void>> stop_unit(std::string unit) override { co_return job("stop", unit); }
  Task<Result<void>> reset_failed(std::string unit) override {
    jobs.push_back("reset-failed " + unit);
    co_return Result<void>{};
  }
  Task<Result<UnitState>> unit_state(std::string unit) override {
    if (gone) co_return std::unexpected(*gone);
    co_return units[unit];
  }
  std::unique_ptr<UnitWatch> watch_unit(const std::string& unit) override {
    return std::make_unique<Watch>(*this, unit);
  }

 private:
  class Watch final : public UnitWatch {
   public:
    Watch(FakeSystemd& systemd, std::string unit) : systemd_(systemd), unit_(std::move(unit)) {}
    Task<Result<UnitState>> next() override {
      while (!systemd_.gone && given_ && *given_ == systemd_.units[unit_]) {
        auto change = systemd_.changes_.wait();
        co_await change;
      }
      if (systemd_.gone) co_return std::unexpected(*systemd_.gone);
      given_ = systemd_.units[unit_];
      co_return *given_;
    }

   private:
    FakeSystemd& systemd_;
    std::string unit_;
    std::optional<UnitState> given_;
  };

  Result<void> job(const std::string& kind, const std::string& unit) {
    jobs.push_back(kind + " " + unit);
    const Result<void> result = work(kind, units[unit]);
    changes_.wake();
    return result;
  }

  Waiters changes_;
};

class FakeNetlink final : public Netlink {
 public:
  const std::vector<Link>& links() const override { return links_; }
  const std::vector<LinkAddress>& addresses() const override { return addresses_; }
  Task<void> changed() override { return changes_.wait(); }
  bool settled(const IpAddress& address) const override { return !unsettled_.contains(address.text()); }
  Task<Result<void>> add_address(int link, IpPrefix address) override {
    set_address({link, address});
    co_return Result<void>{};
  }
  Task<Result<void>> remove_address(int link, IpPrefix address) override {
    std::erase_if(addresses_,
                  [&](const LinkAddress& entry) { return entry.link == link && entry.prefix == address; });
    changes_.wake();
    co_return Result<void>{};
  }

  // An earlier change of it has not been answered.
  void unsettle(const IpAddress& address) { unsettled_.insert(address.text()); }
  void settle(const IpAddress& address) {
    unsettled_.erase(address.text());
    changes_.wake();
  }
  void set_link(const Link& link) {
    std::erase_if(links_, [&](const Link& other) { return other.index == link.index; });
    links_.push_back(link);
    changes_.wake();
  }
  void remove_link(int index) {
    std::erase_if(links_, [&](const Link& other) { return other.index == index; });
    std::erase_if(addresses_, [&](const LinkAddress& entry) { return entry.link == index; });
    changes_.wake();
  }
  void set_address(const LinkAddress& address) {
    std::erase_if(addresses_, [&](const LinkAddress& other) {
      return other.link == address.link && other.prefix == address.prefix;
    });
    addresses_.push_back(address);
    changes_.wake();
  }

 private:
  std::vector<Link> links_;
  std::vector<LinkAddress> addresses_;
  std::set<std::string> unsettled_;
  Waiters changes_;
};

class FakeLog final : public Log {
 public:
  std::vector<std::string> lines;
  void info(std::string_view text) override { lines.emplace_back(text); }
  void warning(std::string_view text) override { lines.emplace_back(text); }
};

struct World {
  FakeClock clock;
  FakeReadiness readiness;
  FakeSpawner spawner;
  FakeFiles files;
  FakeSystemd systemd;
  FakeNetlink netlink;
  FakeLog log;

  Services services() { return {clock, readiness, spawner, files, systemd, netlink, log}; }
};

class ReportLog final : public Reports {
 public:
  std::vector<Verdict> verdicts;
  void report(const Verdict& verdict) override { verdicts.push_back(verdict); }

  std::optional<Health> health() const {
    return verdicts.empty() ? std::nullopt : std::optional(verdicts.back().health);
  }
  std::string evidence() const { return verdicts.empty() ? "" : verdicts.back().evidence; }
};

// A task that has been started; cancelled and awaited when it goes out of scope.
template <class T>
class Started {
 public:
  explicit Started(Task<T> task) {
    run_.start(std::move(task), [this](typename Run<T>::Ended ended) { ended_ = std::move(ended); });
  }
  ~Started() { cancel(); }
  bool done() const { return ended_.has_value(); }
  void cancel() { run_.cancel(); }
  bool was_cancelled() const { return done() && !ended_->value && !ended_->bug; }
  // Only when it is done, and not cancelled.
  const detail::Unit<T>& value() const {
    if (!ended_) throw std::logic_error("the task has not ended");
    if (ended_->bug) std::rethrow_exception(ended_->bug);
    if (!ended_->value) throw std::logic_error("the task was cancelled");
    return *ended_->value;
  }

 private:
  Run<T> run_;
  std::optional<typename Run<T>::Ended> ended_;
};

// The result of a task that needs no time.
template <class T>
detail::Unit<T> result_of(Task<T> task) {
  Started<T> started(std::move(task));
  return started.value();
}

}  // namespace komainu::drivers::testing

// Drivers that do what a test tells them, and a bench with the real loop to run them on. The types' names are
// "fake"; a configured resource or device is found by its name.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/message.h"
#include "core/spec.h"
#include "drivers/driver.h"
#include "drivers/testing/world.h"
#include "engine/executor/maker.h"
#include "engine/loop/loop.h"
#include "engine/testing/tasks.h"
#include "params/schema.h"

namespace komainu::engine::testing {

// Where a driver waits for the test, if it is told to. Like a child process it ends only when told to, also
// after a cancel, unless `ends_at_once`.
class Gate {
 public:
  bool closed = false;
  bool ends_at_once = false;

  bool waiting() const { return operation_ != nullptr; }
  bool cancelled() const { return cancelled_; }  // the last that waited
  void open() {
    closed = false;
    if (auto* operation = std::exchange(operation_, nullptr)) operation->complete();
  }
  // For the end of a test: a cancel is enough from now on.
  void let_go() {
    ends_at_once = true;
    if (cancelled_) open();
  }

  drivers::Task<void> pass() {
    if (!closed) co_return;
    cancelled_ = false;
    drivers::Operation<> operation([this] {
      cancelled_ = true;
      if (ends_at_once) std::exchange(operation_, nullptr)->complete();
    });
    operation_ = &operation;
    co_await operation;
  }

 private:
  drivers::Operation<>* operation_ = nullptr;
  bool cancelled_ = false;
};

// One thing in the world that a resource, or a device that a fencer, stands for.
struct Thing {
  Gate start, stop, probe, watch, off, test;
  bool runs = false;
  bool obeys_stop = true;
  bool answers = true;  // a device that is asked whether it could
  std::vector<std::string> calls;
  Duration longest_off{60s};
  Thing() { watch.closed = true; }
  void let_go() {
    for (Gate* gate : {&start, &stop, &probe, &watch, &off, &test}) gate->let_go();
  }
  std::ptrdiff_t count(const std::string& call) const { return std::ranges::count(calls, call); }
};

// Function pointers make drivers, so the things are global; a bench begins with none.
inline std::map<std::string, Thing>& things() {
  static std::map<std::string, Thing> all;
  return all;
}

class FakeResource final : public drivers::Resource {
 public:
  explicit FakeResource(Thing& thing) : thing_(thing) {}
  drivers::Task<Result<void>> start() override {
    thing_.calls.push_back("start");
    auto gate = thing_.start.pass();
    co_await gate;
    thing_.runs = true;
    co_return Result<void>{};
  }
  drivers::Task<Result<void>> stop() override {
    thing_.calls.push_back("stop");
    auto gate = thing_.stop.pass();
    co_await gate;
    if (thing_.obeys_stop) thing_.runs = false;
    co_return Result<void>{};
  }
  drivers::Task<Result<drivers::Probe>> probe() override {
    thing_.calls.push_back("probe");
    auto gate = thing_.probe.pass();
    co_await gate;
    co_return drivers::Probe{thing_.runs ? drivers::Presence::kRunning : drivers::Presence::kStopped, {}};
  }
  drivers::Task<std::string> watch(drivers::Reports&) override {
    thing_.calls.push_back("watch");
    thing_.watch.closed = true;
    auto gate = thing_.watch.pass();
    co_await gate;
    co_return "it has ended";
  }

 private:
  Thing& thing_;
};

class FakeFencer final : public drivers::Fencer {
 public:
  explicit FakeFencer(Thing& thing) : thing_(thing) {}
  drivers::Task<Result<void>> off(std::string target) override {
    thing_.calls.push_back("off " + target);
    auto gate = thing_.off.pass();
    co_await gate;
    co_return Result<void>{};
  }
  Duration longest_off() const override { return thing_.longest_off; }
  drivers::Task<Result<void>> reset(std::string) override { co_return failure("not asked for"); }
  drivers::Task<Result<drivers::Power>> status(std::string) override { co_return drivers::Power::kOff; }
  drivers::Task<Result<void>> test(std::string target) override {
    thing_.calls.push_back("test " + target);
    auto gate = thing_.test.pass();
    co_await gate;
    if (!thing_.answers) co_return failure("no answer");
    co_return Result<void>{};
  }

 private:
  Thing& thing_;
};

namespace detail {

// `broken` is what the declaration of another version refuses.
inline std::optional<Error> refusal(const Params& params) {
  if (params.contains("broken")) return Error{"parameter 'broken' is not known", {}};
  return std::nullopt;
}
inline std::string device_name(const Params& params) {
  const auto it = params.find("device");
  return it == params.end() ? "device" : std::get<std::string>(it->second);
}

inline const params::Schema& fake_schema() {
  static const params::Schema schema{.name = "fake", .text = {}, .params = {}, .problem = {}};
  return schema;
}
inline const drivers::ResourceType* fake_resource_type(std::string_view name) {
  static const drivers::ResourceType type{
      fake_schema(), params::Data::kNone,
      [](const Params& params, const drivers::Services&,
         const drivers::Identity& identity) -> Result<std::unique_ptr<drivers::Resource>> {
        if (auto error = refusal(params)) return std::unexpected(*error);
        return std::make_unique<FakeResource>(things()[identity.name]);
      }};
  return name == "fake" ? &type : nullptr;
}
inline const drivers::FencerType* fake_fencer_type(std::string_view name) {
  static const drivers::FencerType type{
      fake_schema(),
      [](const Params& params, const drivers::Services&,
         const drivers::Identity&) -> Result<std::unique_ptr<drivers::Fencer>> {
        if (auto error = refusal(params)) return std::unexpected(*error);
        return std::make_unique<FakeFencer>(things()[device_name(params)]);
      }};
  return name == "fake" ? &type : nullptr;
}

}  // namespace detail

inline DriverTypes fake_types() {
  return {.resource = &detail::fake_resource_type, .fencer = &detail::fake_fencer_type};
}

// The real loop, and what was reported. Time is the loop's unless a test takes the world's clock.
struct Bench {
  Bench() { things().clear(); }

  drivers::Services services() {
    return {loop, loop, world.spawner, world.files, world.systemd, world.netlink, world.log};
  }
  std::function<void(core::Fact)> sink() {
    return [this](core::Fact fact) { facts.push_back(std::move(fact)); };
  }
  template <class Fact>
  std::vector<Fact> reported() const {
    std::vector<Fact> found;
    for (const core::Fact& fact : facts) {
      if (auto* it = std::get_if<Fact>(&fact)) found.push_back(*it);
    }
    return found;
  }
  bool until(const std::function<bool()>& done) { return loop.run_until(done, kPatience); }

  Loop loop;
  drivers::testing::World world;
  std::vector<core::Fact> facts;
};

}  // namespace komainu::engine::testing

// What the monitors have in common that talk with a server over TCP (net/dialogue.h): where it is, and a look
// that is one conversation.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "drivers/monitors/schedule.h"
#include "drivers/net/dialogue.h"
#include "params/declaration.h"

namespace komainu::drivers {

template <std::uint16_t kUsualPort>
struct ServerAt {
  std::string host = "127.0.0.1";
  std::uint16_t port = kUsualPort;
};

template <class T>
params::Declaration<T> of_server(std::string name, std::string text) {
  return params::Declaration<T>(std::move(name), std::move(text))
      .optional("host", static_cast<std::string T::*>(&T::host), "The address or the name of the host.")
      .optional("port", static_cast<std::uint16_t T::*>(&T::port), "The port.", {.min = 1});
}

class DialogueCheck final : public Check {
 public:
  DialogueCheck(Dialogue dialogue, const Services& services)
      : dialogue_(std::move(dialogue)), conversation_(services) {}

  Task<Verdict> look(Duration) override { return conversation_.hold(dialogue_); }
  std::string waits_for() const override { return conversation_.where(); }

 private:
  const Dialogue dialogue_;
  Conversation conversation_;
};

// The `make` of a type (MonitorType) whose parameters are declared and turned into a dialogue so.
template <auto& declaration, auto& dialogue_of>
Result<std::unique_ptr<Monitor>> make_dialogue(const Params& values, const Schedule& schedule,
                                               const Services& services, const Identity&) {
  const auto params = declaration().read(values);
  if (!params) return std::unexpected(params.error());
  return polled(std::make_unique<DialogueCheck>(dialogue_of(*params), services), schedule, services.clock);
}

}  // namespace komainu::drivers

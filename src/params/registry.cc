#include "params/registry.h"

#include <stdexcept>

namespace komainu::params {

void Registry::add(Kind kind, Schema schema, Data data, Pace pace, Takes takes) {
  std::string name = schema.name;
  const auto [it, added] = types_.try_emplace({kind, name}, DriverType{std::move(schema), data, pace, takes});
  if (!added) throw std::logic_error("the type " + name + " is registered twice");
}

void Registry::also_check(Kind kind, std::string_view name,
                          std::function<std::optional<Error>(const Params&)> check) {
  const auto it = types_.find({kind, std::string(name)});
  if (it == types_.end()) return;
  auto& problem = it->second.schema.problem;
  problem = [own = std::move(problem), check = std::move(check)](const Params& values) {
    std::optional<Error> error = own ? own(values) : std::nullopt;
    return error ? error : check(values);
  };
}

const DriverType* Registry::find(Kind kind, std::string_view name) const {
  const auto it = types_.find({kind, std::string(name)});
  return it == types_.end() ? nullptr : &it->second;
}

std::vector<std::string> Registry::names(Kind kind) const {
  std::vector<std::string> result;
  for (const auto& [key, type] : types_)
    if (key.first == kind) result.push_back(key.second);
  return result;
}

}  // namespace komainu::params

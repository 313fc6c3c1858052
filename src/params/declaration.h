// Declares the parameters of a driver, or the keys of a section of the configuration, once: from it come the
// validation, the reference, the manual, and a struct with the values.
//
//   struct FloatingIpParams {
//     IpPrefix address;
//     std::optional<std::string> interface;
//     std::uint32_t probes = 3;
//     Duration probe_wait = 60ms;
//   };
//
//   const params::Declaration<FloatingIpParams>& floating_ip_params() {
//     static const auto declaration =
//         params::Declaration<FloatingIpParams>("floating-ip", "An address that moves with its group.")
//             .required("address", &FloatingIpParams::address, "The address and its prefix length.")
//             .optional("interface", &FloatingIpParams::interface,
//                       "The interface that carries it; otherwise the one with a network of that prefix.")
//             .optional("probes", &FloatingIpParams::probes, "Probes before use (RFC 5227).",
//                       {.min = 1, .max = 10})
//             .optional("probe_wait", &FloatingIpParams::probe_wait, "Wait after the last probe.",
//                       {.min = 10ms, .max = 10s});
//     return declaration;
//   }
//
//   const Result<FloatingIpParams> params = floating_ip_params().read(values);
//
// An optional member's default is what the struct gives it. A std::optional member has none: left out, it
// stays unset. Member types: bool, integers, Duration, std::string, std::filesystem::path, SecretFile,
// IpAddress, IpPrefix, enums (with `.choices`), and std::vector of those that are written as text.
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/params.h"
#include "base/result.h"
#include "params/codec.h"
#include "params/schema.h"

namespace komainu::params {

template <class T>
class Declaration {
 public:
  Declaration(std::string name, std::string text) {
    schema_.name = std::move(name);
    schema_.text = std::move(text);
  }

  template <class M>
  Declaration& required(std::string name, M T::* member, std::string text, const Options<M>& options = {}) {
    Param& param = add(std::move(name), std::move(text), options);
    param.required = true;
    bind<M>(param.name, member, options);
    return *this;
  }

  template <class M>
    requires(!kIsOptional<M>)
  Declaration& optional(std::string name, M T::* member, std::string text, const Options<M>& options = {}) {
    Param& param = add(std::move(name), std::move(text), options);
    param.default_value = encode(T{}.*member, options);
    if constexpr (!kIsList<M> && !std::same_as<M, std::string>)
      if (auto error = param.problem(*param.default_value))
        throw std::logic_error(schema_.name + "." + param.name + ": the default " + error->what);
    bind<M>(param.name, member, options);
    return *this;
  }

  template <class M>
  Declaration& optional(std::string name, std::optional<M> T::* member, std::string text,
                        const Options<M>& options = {}) {
    bind<M>(add(std::move(name), std::move(text), options).name, member, options);
    return *this;
  }

  // What no single parameter can tell ("either `a` or `b`").
  Declaration& check(std::function<std::optional<Error>(const T&)> check) {
    check_ = std::move(check);
    schema_.problem = [check = check_, bindings = bindings_](const Params& values) -> std::optional<Error> {
      return check(assigned(bindings, values, T{}));
    };
    return *this;
  }

  const Schema& schema() const { return schema_; }

  // The values as a struct. Everything is checked again, because a member of another version may have sent
  // them: an unknown, missing or bad parameter is an error.
  Result<T> read(const Params& values) const {
    for (const auto& [name, value] : values) {
      const Param* param = schema_.find(name);
      if (!param) return failure(schema_.name + ": there is no parameter `" + name + "`");
      if (auto error = param->problem(value))
        return failure(schema_.name + ": `" + name + "` " + error->what, error->help);
    }
    for (const Param& param : schema_.params)
      if (param.required && !values.contains(param.name))
        return failure(schema_.name + ": `" + param.name + "` is missing");
    T result = read_partial(values);
    if (check_)
      if (auto error = check_(result)) return failure(schema_.name + ": " + error->what, error->help);
    return result;
  }

  // The good ones of these values over what `start` holds; nothing is required.
  T read_partial(const Params& values, T start = {}) const {
    return assigned(bindings_, values, std::move(start));
  }

  // The values that read() makes this of; unset members are left out.
  Params write(const T& from) const {
    Params result;
    for (const Binding& binding : bindings_)
      if (auto value = binding.get(from)) result.emplace(binding.name, std::move(*value));
    return result;
  }

 private:
  struct Binding {
    std::string name;
    std::function<void(T&, const ParamValue&)> set;  // leaves the member alone if the value is bad
    std::function<std::optional<ParamValue>(const T&)> get;
  };

  static T assigned(const std::vector<Binding>& bindings, const Params& values, T result) {
    for (const Binding& binding : bindings)
      if (auto it = values.find(binding.name); it != values.end()) binding.set(result, it->second);
    return result;
  }

  template <class M>
  Param& add(std::string name, std::string text, const Options<M>& options) {
    if (schema_.find(name)) throw std::logic_error(schema_.name + "." + name + " is declared twice");
    if (check_) throw std::logic_error(schema_.name + ": check() comes after the parameters");
    Param param;
    param.name = std::move(name);
    param.text = std::move(text);
    for (const auto& [word, choice] : options.choices) param.choices.push_back(word);
    if constexpr (kIsList<M>) {
      param.type = Codec<typename M::value_type>::kType;
      param.list = true;
    } else {
      param.type = Codec<M>::kType;
      param.unit = options.unit;
      if constexpr (!std::is_enum_v<M>) {
        if (options.min) param.min = encode(*options.min, options);
        if (options.max) param.max = encode(*options.max, options);
      }
    }
    if (param.type == Type::kChoice && param.choices.empty())
      throw std::logic_error(schema_.name + "." + param.name + " has no choices");
    param.problem = [options](const ParamValue& value) -> std::optional<Error> {
      if (auto decoded = decode(value, options); !decoded) return decoded.error();
      return std::nullopt;
    };
    schema_.params.push_back(std::move(param));
    return schema_.params.back();
  }

  template <class M, class Member>
  void bind(const std::string& name, Member T::* member, const Options<M>& options) {
    Binding binding;
    binding.name = name;
    binding.set = [member, options](T& into, const ParamValue& value) {
      if (auto decoded = decode(value, options)) into.*member = std::move(*decoded);
    };
    binding.get = [member, options](const T& from) -> std::optional<ParamValue> {
      if constexpr (std::same_as<Member, M>) {
        return encode(from.*member, options);
      } else {
        const Member& value = from.*member;
        if (!value) return std::nullopt;
        return encode(*value, options);
      }
    };
    bindings_.push_back(std::move(binding));
  }

  Schema schema_;
  std::vector<Binding> bindings_;
  std::function<std::optional<Error>(const T&)> check_;
};

}  // namespace komainu::params

// States and stores. A store's checksum is made to fit, so that the decoder behind it is reached.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/frame.h"
#include "wire/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace komainu;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto state = wire::decode_state(bytes))
    if (!wire::decode_state(wire::encode(*state))) std::abort();
  std::string store = wire::begin_frame(wire::Kind::kDurable);
  store += bytes;
  wire::finish_frame(wire::Kind::kDurable, store);
  if (auto durable = wire::decode_durable(store))
    if (!wire::decode_durable(wire::encode(*durable))) std::abort();
  return 0;
}

// Messages of the stream, as a rogue member could send them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace komainu;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // What was accepted can be sent on, and is accepted again.
  if (auto message = wire::decode_message(bytes, NodeId{0}))
    if (!wire::decode_message(wire::encode(*message).value(), NodeId{0})) std::abort();
  return 0;
}

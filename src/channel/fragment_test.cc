#include "channel/fragment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>
#include <random>

#include "wire/wire.h"

namespace komainu::channel {
namespace {

using ::testing::HasSubstr;

constexpr Sender kSenderA{NodeId{0}, 100}, kSenderB{NodeId{1}, 200};

std::vector<std::string> cut(std::uint64_t number, std::string message) {
  std::vector<std::string> pieces;
  for (Splitter splitter(number, std::move(message)); !splitter.done(); splitter.advance()) {
    const Fragment fragment = splitter.next();
    pieces.push_back(encode_header(fragment) + std::string(fragment.payload));
  }
  return pieces;
}

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 131 >> 3);
  return bytes;
}

Assembler::Outcome add(Assembler& assembler, Sender sender, std::string_view piece) {
  return assembler.add(sender, decode_fragment(piece).value());
}

std::string fragment(std::uint64_t number, std::uint32_t size, std::uint32_t offset, std::string payload) {
  return encode_header({number, size, offset, {}}) + payload;
}

std::string complaint(std::string_view bytes) {
  auto decoded = decode_fragment(bytes);
  return decoded ? "accepted" : decoded.error().what;
}

TEST(Fragment, CarriesASmallMessageInOnePiece) {
  const auto pieces = cut(1, "hello");
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces[0].size(), kFragmentHeader + 5);
  Assembler assembler;
  EXPECT_EQ(std::get<std::string>(add(assembler, kSenderA, pieces[0])), "hello");
}

TEST(Fragment, CarriesAnEmptyMessage) {
  const auto pieces = cut(1, "");
  ASSERT_EQ(pieces.size(), 1u);
  Assembler assembler;
  EXPECT_EQ(std::get<std::string>(add(assembler, kSenderA, pieces[0])), "");
}

// Whatever the order in which the senders' pieces mix, each message comes out whole, in its sender's order.
RC_GTEST_PROP(Fragment, JoinsMessagesOfSendersThatMix, (std::uint64_t seed)) {
  std::mt19937_64 random(seed);
  std::map<Sender, std::deque<std::string>> sent, pieces;
  for (std::uint32_t node = 0; node < 3; ++node) {
    const Sender sender{NodeId{node}, 7};
    for (std::uint64_t number = 1; number <= 4; ++number) {
      sent[sender].push_back(pattern(random() % (4 * kFragmentPayload)));
      for (std::string& piece : cut(number, sent[sender].back())) pieces[sender].push_back(std::move(piece));
    }
  }
  Assembler assembler;
  while (!pieces.empty()) {
    auto from = std::next(pieces.begin(), static_cast<std::ptrdiff_t>(random() % pieces.size()));
    auto outcome = add(assembler, from->first, from->second.front());
    RC_ASSERT(!std::holds_alternative<Assembler::Malformed>(outcome));
    if (auto* whole = std::get_if<std::string>(&outcome)) {
      RC_ASSERT(*whole == sent[from->first].front());
      sent[from->first].pop_front();
    }
    from->second.pop_front();
    if (from->second.empty()) pieces.erase(from);
  }
  for (const auto& [sender, rest] : sent) RC_ASSERT(rest.empty());
}

// Any bytes from anybody: no crash, no message above the bound, and a well-behaved sender is not disturbed.
RC_GTEST_PROP(Fragment, SurvivesAnything, (std::uint64_t seed)) {
  std::mt19937_64 random(seed);
  const std::string message = pattern(5 * kFragmentPayload);
  Assembler assembler;
  for (const std::string& piece : cut(1, message)) {
    for (int i = 0; i < 20; ++i) {
      std::string bytes = fragment(random() % 3, static_cast<std::uint32_t>(random() % 5),
                                   static_cast<std::uint32_t>(random() % 5), std::string(random() % 6, 'x'));
      if (random() % 2 == 0) bytes[random() % bytes.size()] = static_cast<char>(random());
      if (auto decoded = decode_fragment(bytes)) assembler.add(kSenderB, *decoded);
    }
    auto outcome = add(assembler, kSenderA, piece);
    if (auto* whole = std::get_if<std::string>(&outcome)) RC_ASSERT(*whole == message);
  }
}

TEST(Assembler, IgnoresTheRestOfAMessageWhoseBeginningWasBeforeTheChange) {
  const auto pieces = cut(1, pattern(3 * kFragmentPayload));
  Assembler assembler;
  add(assembler, kSenderA, pieces[0]);
  assembler.clear();
  EXPECT_TRUE(std::holds_alternative<Assembler::Incomplete>(add(assembler, kSenderA, pieces[1])));
  EXPECT_TRUE(std::holds_alternative<Assembler::Incomplete>(add(assembler, kSenderA, pieces[2])));
  EXPECT_EQ(std::get<std::string>(add(assembler, kSenderA, cut(2, "next")[0])), "next");
}

TEST(Assembler, StartsAnewWhenASenderGaveAMessageUp) {
  const auto first = cut(1, pattern(3 * kFragmentPayload));
  const auto second = cut(2, pattern(2 * kFragmentPayload));
  Assembler assembler;
  add(assembler, kSenderA, first[0]);
  add(assembler, kSenderA, second[0]);
  EXPECT_EQ(std::get<std::string>(add(assembler, kSenderA, second[1])), pattern(2 * kFragmentPayload));
}

TEST(Assembler, RefusesPiecesThatDoNotFit) {
  Assembler assembler;
  add(assembler, kSenderA, fragment(1, 10, 0, "01234"));
  auto outcome = add(assembler, kSenderA, fragment(1, 10, 6, "6789"));
  ASSERT_TRUE(std::holds_alternative<Assembler::Malformed>(outcome));
  EXPECT_EQ(std::get<Assembler::Malformed>(outcome).what,
            "bytes from 6 of message 1 where bytes from 5 of message 1 were due");
}

TEST(Assembler, BoundsWhatIsUnfinished) {
  Assembler assembler;
  const auto pieces = cut(1, pattern(wire::kMaxMessage));
  int refused = 0;
  for (std::uint32_t process = 0; process < 12; ++process)
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i)
      refused +=
          std::holds_alternative<Assembler::Malformed>(add(assembler, {NodeId{0}, process}, pieces[i]));
  EXPECT_GT(refused, 0);
  EXPECT_EQ(std::get<std::string>(add(assembler, kSenderB, cut(1, "small")[0])), "small");
  assembler.clear();
  for (const auto& piece : pieces) {
    auto outcome = add(assembler, kSenderA, piece);
    if (auto* whole = std::get_if<std::string>(&outcome)) {
      EXPECT_EQ(whole->size(), wire::kMaxMessage);
    }
  }
}

TEST(Fragment, RefusesWhatIsNone) {
  EXPECT_THAT(complaint("hello"), HasSubstr("a fragment of only 5 bytes"));
  EXPECT_THAT(complaint(std::string(100, 'x')), HasSubstr("no fragment of a komainu message"));
  EXPECT_THAT(complaint(fragment(1, wire::kMaxMessage + 1, 0, "x")), HasSubstr("a message of 8388609 bytes"));
  EXPECT_THAT(complaint(fragment(1, 4, 2, "abc")), HasSubstr("bytes 2 to 5 of a message of 4 bytes"));
  EXPECT_THAT(complaint(fragment(1, 4, 5, "")), HasSubstr("bytes 5 to 5 of a message of 4 bytes"));
  EXPECT_THAT(complaint(fragment(1, 4, 0, "")), HasSubstr("an empty fragment"));
}

}  // namespace
}  // namespace komainu::channel

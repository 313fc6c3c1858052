#include "channel/link_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace komainu::core {
bool operator==(const LinkChange& a, const LinkChange& b) {
  return a.fields() == b.fields();
}
}  // namespace komainu::core

namespace komainu::channel {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr NodeId kPeer{1};
constexpr LinkStatus kBoth{true, 0b11, 0b11};
constexpr LinkStatus kFirstOnly{true, 0b11, 0b01};
constexpr LinkStatus kSecondOnly{true, 0b11, 0b10};
constexpr LinkStatus kNone{false, 0b11, 0b00};

const core::LinkChange kFirstDown{kPeer, 0, false};
const core::LinkChange kSecondDown{kPeer, 1, false};
const core::LinkChange kSecondUp{kPeer, 1, true};

TEST(LinkWatch, SaysNothingWhileAllLinksWork) {
  LinkWatch watch;
  EXPECT_THAT(watch.look(kPeer, kBoth), IsEmpty());
  EXPECT_THAT(watch.look(kPeer, kBoth), IsEmpty());
}

TEST(LinkWatch, TellsALossAtTheSecondLookAndTheReturnAtOnce) {
  LinkWatch watch;
  EXPECT_THAT(watch.look(kPeer, kFirstOnly), IsEmpty());
  EXPECT_THAT(watch.look(kPeer, kFirstOnly), ElementsAre(kSecondDown));
  EXPECT_THAT(watch.look(kPeer, kFirstOnly), IsEmpty());
  EXPECT_THAT(watch.look(kPeer, kBoth), ElementsAre(kSecondUp));
}

TEST(LinkWatch, ForgetsALossThatWasSeenOnce) {
  LinkWatch watch;
  watch.look(kPeer, kFirstOnly);
  watch.look(kPeer, kBoth);
  EXPECT_THAT(watch.look(kPeer, kFirstOnly), IsEmpty());
}

TEST(LinkWatch, LeavesTheLossOfAllLinksToTheRing) {
  LinkWatch watch;
  watch.look(kPeer, kFirstOnly);
  EXPECT_THAT(watch.look(kPeer, kNone), IsEmpty());
  EXPECT_THAT(watch.look(kPeer, kNone), IsEmpty());
  EXPECT_THAT(watch.look(kPeer, kBoth), IsEmpty());
}

TEST(LinkWatch, TellsWhatIsDifferentOnceThePeerIsBack) {
  LinkWatch watch;
  watch.look(kPeer, kFirstOnly);
  watch.look(kPeer, kFirstOnly);
  watch.look(kPeer, kNone);
  EXPECT_THAT(watch.look(kPeer, kSecondOnly), ElementsAre(kSecondUp));
  EXPECT_THAT(watch.look(kPeer, kSecondOnly), ElementsAre(kFirstDown));
}

TEST(LinkWatch, ClearsALinkThatIsConfiguredNoLonger) {
  LinkWatch watch;
  watch.look(kPeer, kFirstOnly);
  watch.look(kPeer, kFirstOnly);
  EXPECT_THAT(watch.look(kPeer, {true, 0b01, 0b01}), ElementsAre(kSecondUp));
}

TEST(LinkWatch, KeepsPeersApart) {
  LinkWatch watch;
  watch.look(kPeer, kFirstOnly);
  EXPECT_THAT(watch.look(NodeId{2}, kFirstOnly), IsEmpty());
}

}  // namespace
}  // namespace komainu::channel

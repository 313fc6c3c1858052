#include "komainu/session.h"

namespace komainu::cli {

Exit fail(const Session& session, Exit code, const std::string& what, const std::string& help) {
  session.err << paint(session.err_style, Colour::kRed, "komainu: ") << printable(what) << "\n";
  if (!help.empty()) session.err << "  " << printable(help) << "\n";
  return code;
}

Exit fail(const Session& session, const api::Trouble& trouble) {
  using Kind = api::Trouble::Kind;
  Exit code = Exit::kRefused;
  switch (trouble.kind) {
    case Kind::kNotReachable:
    case Kind::kNotAllowed:
      code = Exit::kNotReachable;
      break;
    case Kind::kTimedOut:
      code = Exit::kTimedOut;
      break;
    case Kind::kNoView:
      code = Exit::kNoView;
      break;
    case Kind::kUnknownName:
      code = Exit::kUsage;
      break;
    case Kind::kRefused:
      break;
  }
  return fail(session, code, trouble.what, trouble.help);
}

}  // namespace komainu::cli

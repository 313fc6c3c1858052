// Puts a request to the cluster and, unless told otherwise, waits until it has come true, telling what
// happens meanwhile.
#pragma once

#include <functional>
#include <string>

#include "komainu/goal.h"
#include "komainu/session.h"

namespace komainu::cli {

struct Wanted {
  std::string target;  // of the API
  std::string body = {};
  std::string intent;  // what will happen, before it does
  // Looks how far it is; unset: nothing remains to be waited for once the cluster has accepted it.
  std::function<api::Answer<Judgement>(const api::Client&)> look = {};
  std::function<bool(const api::EventView&)> concerns = {};  // events that tell its progress
  Duration limit = 60s;                                      // unless the session names another one
};

Exit request(const Session& session, const Wanted& wanted);

// It is as asked already: that is the result.
Exit nothing_to_do(const Session& session, const std::string& text);

}  // namespace komainu::cli

// The API's documents to JSON and back. One line of text, keys in the order of their declaration.
#pragma once

#include <string>
#include <string_view>

#include "api/documents/model.h"
#include "base/result.h"

namespace komainu::api {

// For every document of model.h.
template <class Document>
std::string to_json(const Document& document);

// Fails on text that is no JSON object or holds a value of the wrong type, and says at which key.
template <class Document>
Result<Document> from_json(std::string_view text);

}  // namespace komainu::api

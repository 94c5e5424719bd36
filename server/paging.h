// How lists are paged, as OpenAI's clients do it: ?limit=20&after=ID&order=desc, and in the answer has_more with the id
// of the last row, which is the next page's `after`.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "server/query.h"

namespace hearth {

enum class PageOrder { kNewestFirst, kOldestFirst };

struct Page {
  int limit = 0;
  std::string after = {};  // the id behind which it begins; empty: at the list's begin
  PageOrder order = PageOrder::kNewestFirst;

  // How many rows to look up: one more tells whether there is a next page.
  int rows() const { return limit + 1; }
};

struct PageRule {
  int default_limit = 20;
  int max_limit = 100;
  PageOrder default_order = PageOrder::kNewestFirst;
};

// limit, after and order of the query. Throws a 400 that names the field; a limit is never clamped.
Page read_page(const Query& query, const PageRule& rule);

// {"object": "list", "data", "first_id", "last_id", "has_more"} of up to page.rows() objects that have an "id".
nlohmann::ordered_json list_object(nlohmann::ordered_json rows, const Page& page);

// The page of a list that is at hand whole, oldest first, of objects that have an "id". Throws as refuse_after.
nlohmann::ordered_json page_of(nlohmann::ordered_json all, const Page& page);

// For stores that do not know page.after: a 400, since the URL itself exists.
[[noreturn]] void refuse_after(const Page& page);

}  // namespace hearth

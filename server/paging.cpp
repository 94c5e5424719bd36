#include "server/paging.h"

#include <algorithm>
#include <charconv>

#include "server/api_error.h"

namespace hearth {
namespace {

int read_limit(std::string_view text, int max) {
  int limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size() || limit < 1 || limit > max)
    throw invalid_field("limit", fmt::format("limit is '{}', must be a number from 1 to {}", text.substr(0, 32), max));
  return limit;
}

}  // namespace

Page read_page(const Query& query, const PageRule& rule) {
  Page page{
      .limit = rule.default_limit, .after = std::string(query.get("after").value_or("")), .order = rule.default_order};
  if (const auto limit = query.get("limit")) page.limit = read_limit(*limit, rule.max_limit);
  if (const auto order = query.get("order")) {
    if (*order != "asc" && *order != "desc")
      throw invalid_field("order", fmt::format("order is '{}', must be asc or desc", order->substr(0, 32)));
    page.order = *order == "asc" ? PageOrder::kOldestFirst : PageOrder::kNewestFirst;
  }
  return page;
}

nlohmann::ordered_json list_object(nlohmann::ordered_json rows, const Page& page) {
  const bool has_more = rows.size() > static_cast<size_t>(page.limit);
  if (has_more) rows.erase(rows.end() - 1);
  nlohmann::ordered_json list;
  list["object"] = "list";
  list["first_id"] = rows.empty() ? nlohmann::ordered_json() : rows.front()["id"];
  list["last_id"] = rows.empty() ? nlohmann::ordered_json() : rows.back()["id"];
  list["has_more"] = has_more;
  list["data"] = std::move(rows);
  return list;
}

nlohmann::ordered_json page_of(nlohmann::ordered_json all, const Page& page) {
  if (page.order == PageOrder::kNewestFirst) std::reverse(all.begin(), all.end());
  auto begin = all.begin();
  if (!page.after.empty()) {
    begin = std::find_if(all.begin(), all.end(), [&](const auto& row) { return row.at("id") == page.after; });
    if (begin == all.end()) refuse_after(page);
    ++begin;
  }
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (; begin != all.end() && rows.size() < static_cast<size_t>(page.rows()); ++begin)
    rows.push_back(std::move(*begin));
  return list_object(std::move(rows), page);
}

void refuse_after(const Page& page) {
  throw invalid_field("after", fmt::format("after is '{}', which this list does not have", page.after.substr(0, 64)));
}

}  // namespace hearth

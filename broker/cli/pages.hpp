#pragma once

#include "broker/cli/command.hpp"
#include "weir/admin.hpp"
#include "weir/result.hpp"

#include <string>
#include <utility>
#include <vector>

namespace weir::cli {

/// Asks for page after page until the last. `page` takes the options of one, keeps what it holds
/// and gives the token of the next, or the error that ends it.
template <class Page>
[[nodiscard]] Result<> for_each_page(ListOptions options, Page page) {
  for (;;) {
    Result<std::string> next = page(options);
    if (!next) {
      return std::move(next).error();
    }
    if (next->empty()) {
      return {};
    }
    options.set_page_token(*std::move(next));
  }
}

/// All items of a list: `list` asks for one page, whose items are `items`.
template <class Item, class List, class Items>
[[nodiscard]] Result<std::vector<Item>> list_all(const std::string& pattern, List list,
                                                 Items items) {
  std::vector<Item> all;
  const Result<> listed = for_each_page(ListOptions().set_pattern(pattern),
                                        [&](const ListOptions& options) -> Result<std::string> {
                                          auto page = list(options);
                                          if (!page) {
                                            return std::move(page).error();
                                          }
                                          const std::vector<Item>& found = (*page).*items;
                                          all.insert(all.end(), found.begin(), found.end());
                                          return std::move(page->next_page_token);
                                        });
  if (!listed) {
    return listed.error();
  }
  return all;
}

/// Names of queues, topics or namespaces ("queue" …) that match, or the services of connections
/// ("client"), at most a page of them; none where they cannot be had.
[[nodiscard]] std::vector<std::string> names_at(const Connection& connection,
                                                const std::string& kind,
                                                const std::string& pattern);

}  // namespace weir::cli

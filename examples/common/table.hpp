/// Entries that are found by name.
#pragma once

#include <coldzoom/core/error.hpp>
#include <memory>
#include <string>
#include <vector>

namespace programs {

/// Entry has info().name. Entries are added before main begins, where nothing may throw; whoever looks at the
/// table checks it.
template <class Entry> class table {
 public:
  void add(std::unique_ptr<Entry> entry) {
    pointers_.push_back(entry.get());
    entries_.push_back(std::move(entry));
  }

  /// All entries in the order in which they came. `what` names them in complaints.
  const std::vector<const Entry*>& checked(const std::string& what) const {
    for (const Entry* entry : pointers_) {
      coldzoom::require(&find(what, "table", entry->info().name) == entry,
                        ("the table of " + what + "s").c_str(),
                        [&] { return "found two of the name '" + entry->info().name + "'; rename yours"; });
    }
    return pointers_;
  }

  /// Throws coldzoom::error, blaming `where`, for a name that there is not.
  const Entry& find(const std::string& what, const std::string& where, const std::string& name) const {
    for (const Entry* entry : pointers_) {
      if (entry->info().name == name) return *entry;
    }
    throw coldzoom::error(where, "found " + what + " '" + name + "', wanted one of " + names());
  }

  std::vector<std::string> list() const {
    std::vector<std::string> all;
    for (const Entry* entry : pointers_) all.push_back(entry->info().name);
    return all;
  }
  /// "a, b, c".
  std::string names() const {
    std::string text;
    for (const std::string& name : list()) text += (text.empty() ? "" : ", ") + name;
    return text;
  }

 private:
  std::vector<std::unique_ptr<Entry>> entries_;
  std::vector<const Entry*> pointers_;
};

}  // namespace programs

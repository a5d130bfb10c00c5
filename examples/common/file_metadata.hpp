/// The strings that go with the arrays of a file.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace programs {

/// Looks at the metadata of a safetensors file, which must live as long; `source`, the file's name, begins
/// every complaint, a coldzoom::error.
class file_metadata {
 public:
  file_metadata(const std::string& source, const std::map<std::string, std::string>& strings)
      : source_(source),
        strings_(strings) {}

  /// Empty where there is none.
  std::string text(const char* key) const;
  /// What the file says must be this, if it says anything.
  void expect(const char* key, const std::string& wanted) const;
  /// A whole number from `low` to `high`, or `otherwise` where the file does not say.
  int number(const char* key, int low, int high, int otherwise) const;
  /// 256 counts, if the file has any.
  std::optional<std::array<std::uint64_t, 256>> counts(const char* key) const;

 private:
  const std::string& source_;
  const std::map<std::string, std::string>& strings_;
};

}  // namespace programs

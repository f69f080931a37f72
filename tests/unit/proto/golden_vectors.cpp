#include "tests/unit/proto/golden_vectors.hpp"

#include <boost/json/src.hpp>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace weir::proto::test {
namespace {

std::string from_hex(const std::string& digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

}  // namespace

std::vector<GoldenVector> golden_vectors() {
  std::ifstream file(WEIR_TEST_DATA_DIR "/recordbatch.json");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const boost::json::value parsed = boost::json::parse(text);
  std::vector<GoldenVector> vectors;
  for (const boost::json::value& entry : parsed.as_array()) {
    GoldenVector vector;
    vector.codec = entry.at("codec").as_string().c_str();
    for (std::size_t i = 0; i < vector.producer.size(); ++i) {
      vector.producer[i] = entry.at("producer").as_array().at(i).as_int64();
    }
    vector.bytes = from_hex(entry.at("hex").as_string().c_str());
    vector.records = static_cast<std::int32_t>(entry.at("records").as_int64());
    if (vector.bytes.size() != static_cast<std::size_t>(entry.at("len").as_int64())) {
      throw std::runtime_error("recordbatch.json: an entry has another length than it says");
    }
    vectors.push_back(std::move(vector));
  }
  return vectors;
}

}  // namespace weir::proto::test

// OpenVINO serializes the graph; then every constant's offset is set to where its bytes lie.
// The serializer reads and hashes all of every constant, so inputs stand in for the large ones.
#include "bake/ir_writer.h"

#include <openvino/core/except.hpp>
#include <openvino/op/constant.hpp>
#include <openvino/op/parameter.hpp>
#include <openvino/pass/serialize.hpp>
#include <pugixml.hpp>
#include <sstream>
#include <streambuf>

namespace ovenbird {
namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint64_t kLargeBytes = 4096;  // a smaller constant may tell a shape, and stays one

/// Takes the weights that the serializer wants to write, and keeps only their count.
class CountingBuffer : public std::streambuf {
 protected:
  std::streamsize xsputn(const char*, std::streamsize count) override {
    count_ += count;
    return count;
  }
  int_type overflow(int_type byte) override {
    ++count_;
    return traits_type::not_eof(byte);
  }
  pos_type seekoff(off_type, std::ios_base::seekdir, std::ios_base::openmode) override {
    return pos_type(count_);
  }

 private:
  off_type count_ = 0;
};

/// Returns an input that takes the constant's place, name, type and shape.
std::shared_ptr<ov::op::v0::Parameter> replace_by_input(ov::op::v0::Constant& constant) {
  auto input =
      std::make_shared<ov::op::v0::Parameter>(constant.get_element_type(), constant.get_shape());
  input->set_friendly_name(constant.get_friendly_name());
  constant.output(0).replace(input->output(0));
  return input;
}

/// Makes a constant of so many bytes out of an input's layer, its place still to be set.
void make_constant(pugi::xml_node layer, uint64_t bytes) {
  layer.attribute("type").set_value("Const");
  pugi::xml_node data = layer.child("data");
  const std::string shape = data.attribute("shape").value();
  data.remove_attribute("shape");
  data.append_attribute("shape").set_value(shape.c_str());
  data.append_attribute("offset");
  data.append_attribute("size").set_value(bytes);
}

Result<std::string> serialize(const std::shared_ptr<ov::Model>& model) {
  std::ostringstream xml;
  CountingBuffer buffer;
  std::ostream weights(&buffer);
  try {
    ov::pass::Serialize(xml, weights).run_on_model(model);
  } catch (const ov::Exception& thrown) {
    return fail(Code::kInternal, std::string("serialize graph: ") + thrown.what());
  }
  return std::move(xml).str();
}

}  // namespace

Result<std::string> ir_text(const PlacedGraph& graph) {
  const Result<std::string> text = serialize(graph.model);
  if (!text) return text;

  pugi::xml_document document;
  if (!document.load_string(text->c_str())) {
    return fail(Code::kInternal, "serialize graph: OpenVINO wrote XML that cannot be read back");
  }
  for (pugi::xml_node layer : document.child("net").child("layers").children("layer")) {
    const std::string name = layer.attribute("name").value();
    const auto place = graph.places.find(name);
    const bool is_constant = std::string(layer.attribute("type").value()) == "Const";
    if (place == graph.places.end() && !is_constant) continue;
    if (!is_constant) make_constant(layer, place->second.bytes);
    pugi::xml_node data = layer.child("data");
    if (place == graph.places.end() || data.attribute("size").as_ullong() != place->second.bytes) {
      return fail(Code::kInternal, "serialize graph: constant " + name + " was changed");
    }
    data.attribute("offset").set_value(place->second.offset);
  }
  std::ostringstream out;
  document.save(out, "", pugi::format_raw);
  return std::move(out).str();
}

void IrWriter::place(std::span<const std::byte> memory, uint64_t offset) {
  placed_[{memory.data(), memory.size()}] = offset;
}

void IrWriter::place(const StoredWeights& stored, std::span<const std::byte> file) {
  for (const auto& [name, blob] : stored.blobs) {
    place(file.subspan(blob.offset, blob.bytes), blob.offset);
  }
}

Result<ConstantPlace> IrWriter::append(std::span<const std::byte> memory) {
  const std::string bytes(reinterpret_cast<const char*>(memory.data()), memory.size());
  const auto [entry, is_new] = appended_.try_emplace(bytes, 0);
  if (is_new) {
    if (Status aligned = weights_.align(kAlignment); !aligned) return Failure{aligned.error()};
    entry->second = weights_.bytes();
    if (Status done = weights_.append(bytes); !done) return Failure{done.error()};
  }
  return ConstantPlace{.offset = entry->second, .bytes = bytes.size()};
}

Result<PlacedGraph> IrWriter::place(std::shared_ptr<ov::Model> model) {
  ConstantPlaces places;
  ov::ParameterVector stand_ins;
  uint32_t unnamed = 0;
  uint32_t repeated = 0;
  uint32_t ordinal = 0;
  for (const std::shared_ptr<ov::Node>& node : model->get_ordered_ops()) {
    // OpenVINO's own names count all nodes of the process: the same bake would differ each time.
    const bool is_named = node->get_friendly_name() != node->get_name();
    if (!is_named) {
      node->set_friendly_name(std::string("step.") + node->get_type_name() + "." +
                              std::to_string(ordinal));
    }
    ++ordinal;
    const auto constant = ov::as_type_ptr<ov::op::v0::Constant>(node);
    if (!constant) continue;
    const std::span<const std::byte> bytes(static_cast<const std::byte*>(constant->get_data_ptr()),
                                           constant->get_byte_size());
    const auto placed = placed_.find({bytes.data(), bytes.size()});
    if (placed == placed_.end()) {
      const Result<ConstantPlace> place = append(bytes);
      if (!place) return Failure{place.error()};
      node->set_friendly_name("constant." + std::to_string(unnamed++));
      places[node->get_friendly_name()] = *place;
      continue;
    }
    // A tied head is a second node over the embedding's bytes; names in an IR are unique.
    if (places.contains(node->get_friendly_name())) {
      node->set_friendly_name(node->get_friendly_name() + ".again" + std::to_string(repeated++));
    }
    places[node->get_friendly_name()] = {placed->second, bytes.size()};
    if (bytes.size() >= kLargeBytes) stand_ins.push_back(replace_by_input(*constant));
  }
  model->add_parameters(stand_ins);
  return PlacedGraph{.model = std::move(model), .places = std::move(places)};
}

}  // namespace ovenbird

// Reading an exported decoder, and whether it is one that step graphs can be made of.
#include "bake/import_graph.h"

#include <openvino/core/except.hpp>
#include <openvino/pass/stateful_to_stateless.hpp>
#include <openvino/runtime/core.hpp>
#include <string>

#include "bake/import_masks.h"
#include "base/limits.h"
#include "base/message_text.h"

namespace ovenbird {
namespace {

std::shared_ptr<ov::Model> read_stateless(std::string_view xml, std::span<const std::byte> weights,
                                          CacheForm form) {
  // A tensor over the mapped file: constants point into it, and nothing is copied.
  const ov::Tensor view(ov::element::u8, {weights.size()}, const_cast<std::byte*>(weights.data()));
  std::shared_ptr<ov::Model> model = ov::Core().read_model(std::string(xml), view);
  if (form == CacheForm::kState) ov::pass::StatefulToStateless().run_on_model(model);
  return model;
}

Result<uint32_t> vocabulary_of(const ov::Model& model) {
  const std::shared_ptr<op::Result> logits = find_result(model, "logits");
  if (!logits) return fail(Code::kUnsupported, "it has no output logits");
  const ov::PartialShape& shape = logits->get_output_partial_shape(0);
  if (shape.rank() != 3 || shape[2].is_dynamic() || shape[2].get_length() < 1 ||
      shape[2].get_length() > limits::kVocabularyMax) {
    return fail(Code::kUnsupported, "its logits are not [1, rows, vocabulary]");
  }
  return static_cast<uint32_t>(shape[2].get_length());
}

Status check_ids(const ov::Model& model) {
  for (const char* name : {"input_ids", "attention_mask", "position_ids"}) {
    const std::shared_ptr<op::Parameter> parameter = find_parameter(model, name);
    if (!parameter || parameter->get_element_type() != ov::element::i64 ||
        parameter->get_partial_shape().rank() != 2) {
      return fail(Code::kUnsupported, "its input " + std::string(name) + " is not i64 [1, rows]");
    }
  }
  return ok();
}

}  // namespace

Result<ImportedModel> read_imported_model(std::string_view xml, std::span<const std::byte> weights,
                                          CacheForm form) {
  ImportedModel imported;
  try {
    imported.model = read_stateless(xml, weights, form);
  } catch (const ov::Exception& thrown) {
    return fail(Code::kCorrupt, "OpenVINO cannot read it: " + one_line(thrown.what()));
  }
  if (Status ids = check_ids(*imported.model); !ids) return Failure{ids.error()};
  const Result<uint32_t> vocabulary = vocabulary_of(*imported.model);
  if (!vocabulary) return Failure{vocabulary.error()};
  imported.vocabulary = *vocabulary;
  Result<ImportedAttentions> attentions = find_attentions(*imported.model);
  if (!attentions) return Failure{attentions.error()};
  imported.attentions = *std::move(attentions);
  return imported;
}

Status check_imported_model(ImportedModel& imported, uint32_t context) {
  if (Status masks = check_masks(imported.attentions, context); !masks) return masks;
  Result<ImportedRotation> rotation = find_rotation(*imported.model, imported.attentions, context);
  if (!rotation) return Failure{rotation.error()};
  imported.rotation = *std::move(rotation);
  return ok();
}

}  // namespace ovenbird

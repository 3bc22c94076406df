// Every limit on what comes from outside, in one place. Beyond a limit there is an error, never a
// truncation. Each is far above what real models have and far below what hurts.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace ovenbird::limits {

// Checkpoints
inline constexpr uint64_t kTensorsMax = 1 << 20;    // in one checkpoint
inline constexpr uint32_t kTensorRankMax = 4;       // GGUF's own limit
inline constexpr size_t kTensorNameBytesMax = 512;  // "model.layers.NNN.self_attn..." is 50
// The format allows 100 MB; 1,024 layers need 3 MB, and a parsed header takes up to 16 times more.
inline constexpr size_t kSafetensorsHeaderBytesMax = 16u << 20;
inline constexpr size_t kConfigBytesMax = 1u << 20;  // config.json, generation_config.json
inline constexpr size_t kConfigKeysMax = 1 << 13;    // in one object of config.json; real: 100
inline constexpr size_t kConfigIdsMax = 1 << 12;     // in one list of token or layer ids; real: 94
inline constexpr size_t kIndexBytesMax = 16u << 20;  // model.safetensors.index.json
inline constexpr size_t kJsonBytesMax = 256u << 20;  // tokenizer.json of 256k entries: 35 MB
inline constexpr size_t kJsonDepthMax = 64;
inline constexpr size_t kShardsMax = 1024;
inline constexpr uint64_t kMetadataEntriesMax = 1 << 16;  // GGUF key-value pairs
inline constexpr uint64_t kMetadataArrayMax = 1 << 22;    // entries of one GGUF array
inline constexpr uint64_t kGgufAlignmentMax = 1 << 20;    // bytes; files have 32

// Models
inline constexpr uint32_t kLayersMax = 1024;
inline constexpr uint32_t kHiddenMax = 1 << 17;  // also heads * head_dim, and the MLP's width
inline constexpr uint32_t kExpertsMax = 1024;    // of one layer; real: 512
inline constexpr uint32_t kVocabularyMax = 1 << 22;
inline constexpr uint32_t kContextMax = 1 << 20;  // tokens; --context, slots

// Bundles
inline constexpr size_t kManifestBytesMax = 32u << 20;  // of 1,024 layers: 6 MB
inline constexpr size_t kGraphsMax = 256;               // a bake writes about a dozen
inline constexpr size_t kGraphPortsMax = 4 + 2 * kLayersMax;
inline constexpr size_t kWeightKindsMax = 256;  // entries of "weights"
inline constexpr size_t kBundleFilesMax = 1024;

// Graphs as IR; one of SmolLM2 (30 decoder layers): 1 MB, 2,400 layers of 6 ports at most
inline constexpr size_t kIrBytesMax = 32u << 20;  // taken apart, it is up to 20 times as large
inline constexpr size_t kIrLayersMax = 1 << 19;
inline constexpr size_t kIrPortsMax = 1 << 12;  // inputs of one layer, and outputs
inline constexpr size_t kIrRankMax = 64;

// Text
inline constexpr size_t kPromptBytesMax = 64u << 20;
inline constexpr size_t kRenderedBytesMax = 64u << 20;  // a chat after its template
inline constexpr size_t kTokenBytesMax = 1 << 16;
inline constexpr size_t kVocabularyHolesMax = 1 << 16;  // ids that no token has; real: hundreds
inline constexpr size_t kMergesMax = 1 << 23;
inline constexpr size_t kAddedTokensMax = 1 << 16;
inline constexpr size_t kAddedTokenBytesMax = 256;        // each is tried at every byte of a text
inline constexpr size_t kScoredTokenBytesMax = 512;       // every cut of each is looked up once
inline constexpr size_t kTokenizerStepsMax = 16;          // normalizers, pre-tokenizers
inline constexpr size_t kPatternBytesMax = 1 << 14;       // one regular expression; real: 400
inline constexpr size_t kNormalizedGrowthMax = 4;         // normalized text / raw text, in bytes
inline constexpr std::chrono::seconds kSplitTimeMax{60};  // regular expressions, one text in all
inline constexpr size_t kTemplateBytesMax = 1 << 18;      // a chat template; real: 30 kB
inline constexpr size_t kTemplateNestingMax = 200;        // brackets inside one another
inline constexpr size_t kTemplateStepsMax = 100'000;  // loop rounds and macro calls, one rendering
inline constexpr size_t kTemplateMemoryBytesMax = 512u << 20;
inline constexpr size_t kTemplateStackBytes = 512u << 20;  // reserved, used only as deep as needed
inline constexpr size_t kTemplateValueDepthMax = 200;      // lists and objects inside one another
inline constexpr std::chrono::seconds kTemplateTimeMax{10};

// What doctor reads of a machine. What is larger is a finding, not an error.
inline constexpr size_t kProbedFileBytesMax = 1u << 20;  // of /proc, /sys, /etc; real: below 64 kB
inline constexpr size_t kProbedTableBytesMax = 64u << 20;  // modules.alias 2 MB, dpkg status 5
inline constexpr size_t kProbedLogBytesMax = 4u << 20;     // the end of a kernel's log
inline constexpr size_t kProbedEntriesMax = 1 << 14;       // of one directory; a PCI bus: 100
inline constexpr size_t kProbedMessagesMax = 64;       // lines of a log that name the NPU's driver
inline constexpr size_t kLibraryDirectoriesMax = 256;  // where a library is looked for
inline constexpr size_t kElfHeadersMax = 256;          // program headers of a library; real: 12
inline constexpr size_t kElfDynamicMax = 4096;         // entries; real: 40
inline constexpr size_t kSelfTestBytesMax = 1 << 16;   // what its process may say; real: 300
inline constexpr std::chrono::seconds kSelfTestTimeMax{60};  // a driver's first compile: seconds

// What a model hub says. Everything in it may be a lie.
inline constexpr size_t kHubListingBytesMax = 16u << 20;  // of 1,000 files: 60 kB
inline constexpr size_t kHubFilesMax = 1 << 16;
inline constexpr size_t kHubPathBytesMax = 512;
inline constexpr uint64_t kHubFileBytesMax = uint64_t{1} << 50;
inline constexpr size_t kHubRedirectsMax = 5;
inline constexpr size_t kHubHeaderBytesMax = 1 << 18;  // of one answer; a signed address: 3 kB
inline constexpr size_t kHubTokenBytesMax = 4096;
inline constexpr std::chrono::seconds kHubWaitMax{300};  // that a hub may ask us to wait

// Sampling and stop strings
inline constexpr size_t kLogitBiasEntriesMax = 1024;  // OpenAI's interface takes 300
inline constexpr size_t kStopStringsMax = 16;         // OpenAI's interface takes 4
inline constexpr size_t kStopStringBytesMax = 256;    // so much text a stream may lag behind

// The supervisor, its clients and its workers
inline constexpr uint32_t kSlotsMax = 256;
inline constexpr uint32_t kSessionsMax = 4096;
inline constexpr uint32_t kSessionTokensMax = 1 << 22;  // of one conversation: 16 MiB of ids
inline constexpr uint32_t kLogitRowsMax = 128;          // that a step may give
inline constexpr uint64_t kTensorBytesMax = uint64_t{1} << 34;  // one layer's keys of one slot
inline constexpr size_t kClientsMax = 512;                      // connections
inline constexpr size_t kClientSessionsMax = 1024;              // of one connection
inline constexpr uint64_t kSavedBytesMax = uint64_t{1} << 36;   // a saved session

}  // namespace ovenbird::limits

#!/usr/bin/env python3
"""Makes the small tokenizers of this folder and what the reference libraries do with them.

    python3 make_tokenizer_goldens.py       (needs tokenizers 0.23.3 and sentencepiece 0.2.3)

fragments.json       pieces of text; test strings are drawn from them by the rule of draw() below, which
                     tests/text/golden_strings.h states once more in C++
NAME.tokenizer.json  a tokenizer trained here, as tokenizers saves it (compact)
NAME.hashes          one line for each string: FNV-1a of the ids, of the ids when special tokens are
                     text, of the decoded text with and without special tokens (8 hex digits each)
pieces.json          a SentencePiece BPE model with byte fallback: pieces and scores, as a GGUF has them
pieces.hashes        as above, by sentencepiece; special tokens do not occur
"""
import io
import json
import pathlib

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
STRINGS = 3000
CORPUS = pathlib.Path("/usr/share/common-licenses/GPL-3")  # Debian; any English text would do
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
          r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
          r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
GPT4O = (TEKKEN.replace(r"]+|[^", "]+" + ENDINGS + "|[^").replace(r"]*|\p{N}|", "]*" + ENDINGS + r"|\p{N}{1,3}|"))

SPECIAL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"]
FRAGMENTS = SPECIAL + [
    " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", " \n", "\u00a0", "\u2003", "\u3000", "\u180e", "\u200b", "\ufeff",
    "a", "I", "the", " the", " The", "THE", "Hello", " world", " license", "licensee", " software", "CamelCase", "snake_case",
    "don't", "WE'LL", "i'd", "'s", "'\u017f", "they\u2019re", "x=1;", "y+=2", "//", "/*", "*/", "{}", "()[]", "->", "::", "...",
    "!", "?!", ",", ";", "-", "--", "_", "__", "#", "@", "$", "%", "&&", "||", "\\", "\\n", "\"", "'", "`", "<", ">", "<|", "|>", "</",
    "<0x0A>", "<0x", "0", "7", "12", "123", "1234", "3.14", "1,000", "2024-05-06", "1e-5", "0xFF", "\u0663\u0664", "\u00bd", "\u2163", "\u00b2",
    "na\u00efve", "caf\u00e9", "e\u0301", "\u0041\u030a", "\u1e9b\u0323", "\u212b", "\ufb01", "\u00df", "\u0130", "\u01c5", "\u02b0",
    "\u041f\u0440\u0438\u0432\u0435\u0442", " \u043c\u0438\u0440", "\u0395\u03bb\u03bb\u03ac\u03b4\u03b1", "\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d\u0628\u0627", "\u0928\u092e\u0938\u094d\u0924\u0947",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u65e5\u672c\u8a9e", "\u30c6\u30ad\u30b9\u30c8", "\u304b\u3099", "\uac00", "\u1100\u1161\u11a8", "\u4f60\u597d", "\uff11\uff12", "\uff21",
    "\U0001f600", "\U0001f469\u200d\U0001f467", "\U0001f3f3\ufe0f\u200d\U0001f308", "\U0001f1e9\U0001f1ea", "\U0001d518", "\U00020000", "\U0010ffff", "\ue000", "\ufffd", "\ufffe",
    "\u2581", "\u2581\u2581", "\u2581a", "\u0120", "\u0120the", "\u010a", "\u0000", "\u0001", "\u001b", "\u007f", "\u0085", "\u2028", "\u0378",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "the the the the the the the the the ", "abcabcabcabcabcabcabcabcabc", "=" * 33, " " * 17, "\n" * 5,
    "copyright", "General Public", "version 3", "program", "http://x.y/z?q=1", "user@example.com", "<b>", "</b>", "ing", "tion", " of", " and", "er",
    "[cut]", "[eat]", " [eat] ", "[word]", "x[word]", "[norm]", "[plain]", "\u00e9", "caf\u00e9 [norm]",
]
MASK = (1 << 64) - 1


def draw(index):
    """String number `index`: a SplitMix64 stream picks a count and then fragments."""
    state = index

    def step():
        nonlocal state
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    count = step() % 12 + 1 if index % 50 else 200
    return "".join(FRAGMENTS[step() % len(FRAGMENTS)] for _ in range(count))


def fnv(data):
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return f"{value:08x}"


def fnv_ids(ids):
    return fnv(b"".join(i.to_bytes(4, "little") for i in ids))


def corpus():
    lines = [line for line in CORPUS.read_text().split("\n") if line.strip()]
    return lines + [draw(i) for i in range(100_000, 100_400)]


def train(pre, size, alphabet, normalizer=None):
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre
    if normalizer:
        trained.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    trained.train_from_iterator(corpus(), trainer)
    model = json.loads(trained.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


def byte_level(split, use_regex, size=1000, special=SPECIAL, **options):
    steps = split + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)]
    pre = pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0]
    vocab, merges = train(pre, size, pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab=vocab, merges=merges, **options))
    made.pre_tokenizer = pre
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    return made


def sentence_piece(size, normalizer, pre, strip, fallback=True):
    training = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    pieces, merges = train(training, size, [])
    vocab = {text: number for number, text in enumerate(SPECIAL)}
    if fallback:
        for byte in range(256):
            vocab[f"<0x{byte:02X}>"] = len(vocab)
    for text in sorted(pieces, key=pieces.get):
        if fallback or len(text) > 1 or ord(text) < 0x3000:
            vocab.setdefault(text, len(vocab))
    merges = [m for m in merges if m[0] in vocab and m[1] in vocab]
    made = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True,
                                byte_fallback=fallback))
    if normalizer:
        made.normalizer = normalizer
    if pre:
        made.pre_tokenizer = pre
    chain = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    made.decoder = decoders.Sequence(chain + ([decoders.Strip(" ", 1, 0)] if strip else []))
    made.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    return made


def with_bos(made, bos):
    made.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, made.token_to_id(bos))])
    return made


def with_odd_tokens(made):
    made.add_tokens([
        AddedToken("[cut]", lstrip=True), AddedToken("[eat]", lstrip=True, rstrip=True, normalized=False),
        AddedToken("[word]", single_word=True), AddedToken("[norm]", normalized=True),
        AddedToken("[plain]", normalized=False), AddedToken("caf\u00e9", normalized=True),
    ])
    made.add_special_tokens([AddedToken("<b>", special=True, normalized=True, rstrip=True)])
    return made


def families():
    replace = normalizers.Replace(" ", "\u2581")
    prepend = normalizers.Sequence([normalizers.Prepend("\u2581"), replace])
    first = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="first", split=False)
    split = lambda regex: [pre_tokenizers.Split(Regex(regex), "isolated")]
    yield "gpt2", byte_level([], True)
    yield "smollm", byte_level([pre_tokenizers.Digits(individual_digits=True)], True)
    yield "llama3", with_bos(byte_level(split(LLAMA3), False, ignore_merges=True), "<s>")
    qwen2 = byte_level(split(QWEN2), False)
    qwen2.normalizer = normalizers.NFC()
    yield "qwen2", qwen2
    yield "tekken", byte_level(split(TEKKEN), False)
    yield "gpt4o", byte_level(split(GPT4O), False)
    yield "spm_prepend", with_bos(sentence_piece(700, prepend, None, True), "<s>")
    yield "spm_metaspace", with_bos(sentence_piece(700, None, first, True), "<s>")
    yield "gemma", sentence_piece(700, replace, pre_tokenizers.Split(" ", "merged_with_previous"), False)
    yield "spm_unknown", sentence_piece(700, prepend, None, True, fallback=False)
    odd = byte_level([pre_tokenizers.Digits()], True)
    odd.normalizer = normalizers.NFC()
    yield "odd_bytes", with_odd_tokens(odd)
    always = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always", split=True)
    yield "odd_spm", with_odd_tokens(sentence_piece(700, None, always, True))


def tokenizer_hashes(made):
    for index in range(STRINGS):
        text = draw(index)
        made.encode_special_tokens = False
        ids = made.encode(text, add_special_tokens=False).ids
        made.encode_special_tokens = True
        plain = made.encode(text, add_special_tokens=False).ids
        shown = made.decode(ids, skip_special_tokens=False).encode()
        hidden = made.decode(ids, skip_special_tokens=True).encode()
        yield " ".join([fnv_ids(ids), fnv_ids(plain), fnv(shown), fnv(hidden)])


def without_special(text):
    for special in SPECIAL:
        text = text.replace(special, "")
    # SentencePiece reads these as the end of the text, or as a space.
    return text.replace("\u0000", "").replace("\u2581", "")


def make_pieces():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(without_special(line) for line in corpus()), model_writer=model,
        model_type="bpe", vocab_size=1000, byte_fallback=True, character_coverage=0.995,
        normalization_rule_name="identity", remove_extra_whitespaces=False,
        add_dummy_prefix=True, split_digits=True, minloglevel=2)
    trained = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    kind = lambda i: 2 if trained.is_unknown(i) else 3 if trained.is_control(i) else 6 if trained.is_byte(i) else 1
    count = trained.vocab_size()
    pieces = {"tokens": [trained.id_to_piece(i) for i in range(count)],
              "scores": [trained.get_score(i) for i in range(count)],
              "types": [kind(i) for i in range(count)]}
    (HERE / "pieces.json").write_text(json.dumps(pieces, ensure_ascii=True, separators=(",", ":")))
    lines = [fnv_ids(trained.encode(without_special(draw(i)))) for i in range(STRINGS)]
    (HERE / "pieces.hashes").write_text("\n".join(lines) + "\n")


def main():
    (HERE / "fragments.json").write_text(json.dumps(FRAGMENTS, ensure_ascii=True, indent=0))
    for name, made in families():
        made.encode_special_tokens = False
        document = json.loads(made.to_str())
        text = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
        (HERE / f"{name}.tokenizer.json").write_text(text + "\n")
        (HERE / f"{name}.hashes").write_text("\n".join(tokenizer_hashes(made)) + "\n")
        print(name, made.get_vocab_size())
    make_pieces()


if __name__ == "__main__":
    main()

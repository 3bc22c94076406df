# Two small tokenizers for the golden checkpoints, and what Hugging Face `tokenizers` makes of a few
# texts. In: nothing. Out: a `Tiny` each, which make_goldens.py writes as tokenizer.json and
# tiny_gguf.py as GGUF metadata.
from collections import Counter
from dataclasses import dataclass, field

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

SPACE = "\u2581"  # how SentencePiece writes a space

# What the merges are learned from. Ours, and small enough to be read.
CORPUS = (
    "An oven bakes the model once, and the bird sings from it as often as it is asked. "
    "The shapes are fixed before the fire is lit; what changes is only what lies in the oven. "
    "Every row of the window may see the rows before it, and no row sees the rows that follow. "
    "When the window is full, the oldest rows leave and the newest stay. "
    "The capital of a country is where its laws are written; the capital of an engine is memory. "
    "Is the answer the same with the cache and without the cache? It is, to the last digit. "
)

TEXTS = [
    "", " ", "a", "The oven bakes the model once.", "  two  spaces  ", "line one\nline two\n",
    "digits 0123456789 and 3.14", "don't, we'll, IT'S", "caf\u00e9 na\u00efve",
    "\u65e5\u672c\u8a9e", "bird \U0001f426 sings", "tab\there", "the capital of the answer",
    "x" * 20, "\u00a0nbsp",
]

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass
class Tiny:
    """A tokenizer in the parts that both file formats need. `tokens[i]` is the token with id i."""

    kind: str  # GGUF's tokenizer.ggml.model: "gpt2" or "llama"
    tokens: list
    types: list  # GGUF's: 1 normal, 2 unknown, 3 control, 6 byte
    merges: list  # pairs, in the order in which they were learned
    special: list
    bos: int | None
    eos: int
    scores: list = field(default_factory=list)  # "llama" only


def learn_merges(words, merges_max):
    """Plain byte-pair encoding: join the most frequent neighbours; of equals the smaller pair."""
    words = {tuple(word): count for word, count in Counter(words).items()}
    merges = []
    while len(merges) < merges_max:
        pairs = Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = {join(word, best): count for word, count in words.items()}
    return merges


def join(word, pair):
    out, i = [], 0
    while i < len(word):
        if word[i:i + 2] == pair:
            out.append(pair[0] + pair[1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


def byte_level(vocabulary):
    """GPT-2 style: three control tokens, 256 bytes, then one token for each merge."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words = [piece for piece, _ in split.pre_tokenize_str(CORPUS)]
    merges = learn_merges(words, vocabulary - len(special) - len(alphabet))
    tokens = special + alphabet + [left + right for left, right in merges]
    types = [3] * len(special) + [1] * (len(tokens) - len(special))
    return Tiny("gpt2", tokens, types, merges, special, bos=None, eos=2)


def sentencepiece(vocabulary):
    """Llama 2 style: unknown, start, end, 256 byte tokens, learned pieces, single characters.

    A SentencePiece model has no list of merges: any two pieces that make a piece may be joined,
    the best scored first. As in Hugging Face's conversion, `merges` spells that out.
    """
    special = ["<unk>", "<s>", "</s>"]
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    words = [SPACE + word for word in CORPUS.split()]
    characters = sorted(set("".join(words)))
    room = vocabulary - len(special) - len(byte_tokens) - len(characters)
    learned = [left + right for left, right in learn_merges(words, room)]
    pieces = learned + characters
    rank = {piece: i for i, piece in enumerate(pieces)}
    merges = []
    for piece in learned:
        splits = [(piece[:cut], piece[cut:]) for cut in range(1, len(piece))]
        known = [s for s in splits if s[0] in rank and s[1] in rank]
        merges += sorted(known, key=lambda s: (rank[s[0]], rank[s[1]]))
    scores = [0.0] * (len(special) + len(byte_tokens)) + [-float(i) for i in range(len(pieces))]
    types = [2, 3, 3] + [6] * len(byte_tokens) + [1] * len(pieces)
    tokens = special + byte_tokens + pieces
    return Tiny("llama", tokens, types, merges, special, bos=1, eos=2, scores=scores)


def reference(tiny, split):
    """The Hugging Face tokenizer. `split`: "qwen2" or "smollm" for "gpt2", ignored for "llama"."""
    ids = {token: i for i, token in enumerate(tiny.tokens)}
    if tiny.kind == "llama":
        made = Tokenizer(models.BPE(ids, tiny.merges, unk_token="<unk>", fuse_unk=True,
                                    byte_fallback=True))
        made.normalizer = normalizers.Sequence(
            [normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
        made.decoder = decoders.Sequence(
            [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(),
             decoders.Strip(" ", 1, 0)])
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    else:
        made = Tokenizer(models.BPE(ids, tiny.merges))
        first = (pre_tokenizers.Split(Regex(QWEN_SPLIT), "isolated") if split == "qwen2"
                 else pre_tokenizers.Digits(individual_digits=True))
        made.pre_tokenizer = pre_tokenizers.Sequence(
            [first, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split != "qwen2")])
        made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in tiny.special])
    return made


def encoded_texts(tokenizer):
    """What each text must become: without special tokens, and with those the tokenizer adds."""
    return [{"text": text,
             "ids": tokenizer.encode(text, add_special_tokens=False).ids,
             "ids_with_special": tokenizer.encode(text).ids} for text in TEXTS]

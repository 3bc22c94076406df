#!/usr/bin/env python3
"""Makes chat_goldens.json: what Jinja2, set up as transformers does it, makes of chat templates.

    python3 make_chat_goldens.py [FOLDER]      (needs jinja2 3.1.6)

FOLDER holds the templates that come with llama.cpp (default: .deps/llama_cpp_jinja/models/templates);
of these only hashes are kept: FNV-1a of the source and of each rendered text. The templates in OWN are
short restatements of public prompt formats and are kept in full. null = the template refuses,
or (ESCAPED) the two differ for a known reason.
"""
import datetime
import json
import pathlib
import sys

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).parent
DEFAULT = HERE.parents[2] / ".deps/llama_cpp_jinja/models/templates"
NOW = 1_700_000_000  # 2023-11-14 22:13:20 UTC; the tests run with TZ=UTC

OWN = {
    "chatml": """{% for message in messages %}
{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' }}
{% endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\\n' }}
{%- endif %}""",
    "llama2": """{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set system = '<<SYS>>\\n' ~ messages[0]['content'] ~ '\\n<</SYS>>\\n\\n' %}{% else %}{% set rest = messages %}{% set system = '' %}{% endif %}
{%- for m in rest %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}
{%- if m['role'] == 'user' %}{{ bos_token + '[INST] ' + (system if loop.first else '') + m['content'].strip() + ' [/INST]' }}{% else %}{{ ' ' + m['content'] | trim + ' ' + eos_token }}{% endif %}{% endfor %}""",
    "mistral": """{{ bos_token }}{% for m in messages if m.role != 'system' %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}{% elif m.role == 'assistant' %}{{ m.content + eos_token }}{% else %}{{ raise_exception('Only user and assistant roles are supported') }}{% endif %}{% endfor %}""",
    "zephyr": """{% for message in messages %}
{% if message['role'] in ['user', 'system', 'assistant'] %}
{{ '<|' + message['role'] + '|>\\n' + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""",
    "phi3": """{{ bos_token }}{% for message in messages %}{{ '<|' ~ message.role ~ '|>\\n' ~ message.content ~ '<|end|>\\n' }}{% endfor %}{{ '<|assistant|>\\n' if add_generation_prompt else eos_token }}""",
    "gemma": """{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% set role = 'model' if message.role == 'assistant' else message.role %}{{ '<start_of_turn>' + role + '\\n' + (message.content | trim) + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}""",
    "llama3": """{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}""",
    "smollm2": """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou are a helpful AI assistant.<|im_end|>\\n' }}{% endif %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
    "thinking": """{%- set ns = namespace(last=-1) -%}
{%- for message in messages -%}{%- if message.role == 'user' -%}{%- set ns.last = loop.index0 -%}{%- endif -%}{%- endfor -%}
{%- for message in messages %}
{%- set content = message.content if message.content is string else '' %}
{%- if '</think>' in content and loop.index0 < ns.last %}{% set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}
{{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}""",
    "tools": """{% macro show(tool, depth=0) %}{{ '  ' * depth }}{{ tool.function.name }}: {{ tool | tojson }}{% endmacro %}
{% if tools %}Tools ({{ tools | length }}), {{ strftime_now('%d %b %Y') }}:
{% for tool in tools %}
{{ show(tool, depth=1) }}
{% endfor %}
{{ tools | tojson(indent=2) }}
{% endif %}
{% for m in messages %}{{ loop.index }}/{{ loop.length }} {{ m.role | upper }}: {{ m['content'] | default('-') | replace('a', 'A') }}{{ ', ' if not loop.last }}
{% endfor %}""",
}
# Jinja2 escapes HTML where a text that went through "safe" is added to another; the engine never does.
ESCAPED = {("meetkai-functionary-medium-v3.1.jinja", 5)}
USER = {"role": "user", "content": " What is 2+2? "}
ANSWER = {"role": "assistant", "content": "<think>\nhm\n</think>\n\n4\n"}
SYSTEM = {"role": "system", "content": "You are \"terse\" & <b>.\n"}
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Weather; caf\u00e9 <now> & 'here'", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 3}}, "required": ["city"]}}}
CONVERSATIONS = [
    {"messages": [USER]},
    {"messages": [SYSTEM, USER]},
    {"messages": [SYSTEM, USER, ANSWER, {"role": "user", "content": "Gr\u00fc\u00dfe \u4f60\u597d \U0001f600 <|im_end|>\n</s>"}]},
    {"messages": [USER, ANSWER, USER, ANSWER], "add_generation_prompt": False},
    {"messages": [SYSTEM, USER], "variables": {"enable_thinking": False}},
    {"messages": [SYSTEM, USER], "tools": [TOOL]},
    {"messages": [USER, USER]},
]


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = lambda form: datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).strftime(form)
    return made


def render(source, conversation):
    try:
        return environment().from_string(source).render(
            messages=conversation["messages"], tools=conversation.get("tools"), documents=None, bos_token="<s>", eos_token="</s>",
            add_generation_prompt=conversation.get("add_generation_prompt", True), **conversation.get("variables", {}))
    except jinja2.exceptions.TemplateSyntaxError:
        raise
    except Exception:
        return None


def fnv(text):
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return f"{value:08x}"


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    goldens = {"made_by": f"jinja2 {jinja2.__version__}", "now": NOW, "conversations": CONVERSATIONS, "own": {}, "archive": {}}
    for name, source in OWN.items():
        goldens["own"][name] = {"source": source, "texts": [render(source, c) for c in CONVERSATIONS]}
    for path in sorted(folder.glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        try:
            texts = [None if (path.name, i) in ESCAPED else render(source, c) for i, c in enumerate(CONVERSATIONS)]
        except jinja2.exceptions.TemplateSyntaxError:
            continue  # a tag that Jinja2 itself does not have
        goldens["archive"][path.name] = {"source": fnv(source), "texts": [t if t is None else fnv(t) for t in texts]}
    (HERE / "chat_goldens.json").write_text(json.dumps(goldens, ensure_ascii=True, indent=1) + "\n")
    print(len(goldens["own"]), "own,", len(goldens["archive"]), "of the archive")


if __name__ == "__main__":
    main()

"""The models of the sample, as Pidgin's registry spells them, and how they answer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Provider:
    """Who serves a model, under the two names and two limits that Pidgin uses."""

    name: str
    class_name: str
    requests_per_minute: int
    tokens_per_minute: int


@dataclass(frozen=True)
class Model:
    """A model and its tempo.

    `model_id` is Pidgin's registry id, which ConversationStartEvent carries;
    `api_id` is what the provider is asked for, which TokenUsageEvent carries.
    """

    model_id: str
    api_id: str
    display_name: str
    provider: Provider
    first_token_ms: int
    ms_per_token: int
    reports_usage: bool = True
    # Prompts shorter than this are never served from the provider's cache.
    smallest_cached_prompt: int | None = None


ANTHROPIC = Provider("anthropic", "Anthropic", 50, 40_000)
OPENAI = Provider("openai", "OpenAI", 60, 90_000)
OLLAMA = Provider("ollama", "Ollama", 60, 60_000)
SILENCE = Provider("silent", "Silent", 60, 60_000)

SONNET = Model(
    model_id="claude-sonnet-4.5",
    api_id="claude-sonnet-4-5-20250929",
    display_name="Anthropic: Claude Sonnet 4.5",
    provider=ANTHROPIC,
    first_token_ms=1_650,
    ms_per_token=34,
    smallest_cached_prompt=1_024,
)
HAIKU = Model(
    model_id="claude-haiku-4.5",
    api_id="claude-haiku-4-5-20251001",
    display_name="Anthropic: Claude Haiku 4.5",
    provider=ANTHROPIC,
    first_token_ms=940,
    ms_per_token=11,
    smallest_cached_prompt=4_096,
)
GPT_4 = Model(
    model_id="gpt-4",
    api_id="gpt-4",
    display_name="OpenAI: GPT-4",
    provider=OPENAI,
    first_token_ms=1_500,
    ms_per_token=48,
)
GPT_4O = Model(
    model_id="gpt-4o",
    api_id="gpt-4o",
    display_name="OpenAI: GPT-4o",
    provider=OPENAI,
    first_token_ms=1_250,
    ms_per_token=21,
    smallest_cached_prompt=1_024,
)
GPT_MINI = Model(
    model_id="gpt-4.1-mini",
    api_id="gpt-4.1-mini",
    display_name="OpenAI: GPT-4.1 Mini",
    provider=OPENAI,
    first_token_ms=820,
    ms_per_token=9,
    smallest_cached_prompt=1_024,
)
MISTRAL = Model(
    model_id="local:mistral",
    api_id="mistral:7b",
    display_name="Mistral 7B",
    provider=OLLAMA,
    first_token_ms=480,
    ms_per_token=52,
)
SILENT = Model(
    model_id="silent:none",
    api_id="silent:none",
    display_name="Silent",
    provider=SILENCE,
    first_token_ms=0,
    ms_per_token=0,
    reports_usage=False,
)

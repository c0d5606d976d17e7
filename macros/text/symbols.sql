{#- Character classes of Pidgin's symbol metrics, for use inside [...]. -#}

{#- Pidgin's emoji class as it stands: its range of "enclosed characters" runs over Chinese,
    Japanese and Korean letters, too. -#}
{% macro pidgin_emoji() -%}
    \x{1F600}-\x{1F64F}\x{1F300}-\x{1F5FF}\x{1F680}-\x{1F6FF}\x{1F1E0}-\x{1F1FF}\x{2702}-\x{27B0}\x{24C2}-\x{1F251}\x{1F900}-\x{1F9FF}\x{2600}-\x{26FF}
{%- endmacro %}

{#- Pictographs: the blocks of emoji, symbols and dingbats, and what else Unicode shows as emoji
    by default; without letters of any script. -#}
{% macro pictographs() -%}
    \x{1F300}-\x{1F64F}\x{1F680}-\x{1F6FF}\x{1F900}-\x{1F9FF}\x{1FA70}-\x{1FAFF}\x{1F1E6}-\x{1F1FF}\x{2600}-\x{27BF}\x{2B50}\x{2B55}\x{231A}\x{231B}\x{23E9}-\x{23FA}\x{25FD}\x{25FE}\x{2B1B}\x{2B1C}\x{1F004}\x{1F0CF}\x{1F18E}\x{1F191}-\x{1F19A}\x{1F201}\x{1F21A}\x{1F22F}\x{1F232}-\x{1F236}\x{1F238}-\x{1F23A}\x{1F250}\x{1F251}\x{1F7E0}-\x{1F7EB}\x{1F7F0}
{%- endmacro %}

{% macro pidgin_arrows() -%}
    →←↔⇒⇐⇔➜➡⬅↑↓⬆⬇↖↗↘↙
{%- endmacro %}

{% macro pidgin_math_symbols() -%}
    ≈≡≠≤≥±×÷∞∑∏∂∇√∫∈∉∀∃∅\^+=<>*/%\-
{%- endmacro %}

{#- What Pidgin counts as special beside emoji, arrows and mathematics: the rest of its
    arrows and mathematical signs once more, box drawing and bullets. -#}
{% macro pidgin_other_symbols() -%}
    ↔⇒⇐⇔➜➡⬅⬆⬇↖↗↘↙≡±×÷∞∑∏∂∇√∫∈∉∀∃∅\^%┌┐└┘─│├┤┬┴┼═║╔╗╚╝•◦▪▫■□▲△▼▽◆◇○●★☆
{%- endmacro %}

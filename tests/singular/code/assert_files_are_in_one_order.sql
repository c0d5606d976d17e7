-- A returned row is a place among the files of a conversation that two of them take. Which of
-- their events came first would then be chance. In the yml beside the key this would look like
-- a part of it.

select
    conversation_id,
    file_order,
    count(*) as files

from {{ ref('int_conversation_files') }}

group by conversation_id, file_order

having count(*) > 1

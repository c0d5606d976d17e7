-- A returned row is a conversation whose experiment has no row. If one were returned, the
-- conversation would be in no comparison of experiments.

select
    conversations.conversation_id,
    conversations.experiment_id

from {{ ref('conversations') }} as conversations

anti join {{ ref('experiments') }} as experiments
    on conversations.experiment_id = experiments.experiment_id

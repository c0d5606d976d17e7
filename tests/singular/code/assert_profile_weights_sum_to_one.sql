-- A returned row is a profile whose weights do not sum to 1. If one were returned, scores by
-- this profile would not range from 0 to 1, nor compare with those of the others.

select
    profile,
    sum(weight) as weight_sum

from {{ ref('convergence_profiles') }}

group by profile

having sum(weight) != 1

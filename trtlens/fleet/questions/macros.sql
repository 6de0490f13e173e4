-- The standard normal value that is as unlikely as Student's t with so many degrees of freedom (Wallace 1959).
CREATE OR REPLACE TEMP MACRO normal_of_t(t, dof) AS (8 * dof + 1) / (8 * dof + 3) * sqrt(dof * ln(1 + t * t / dof));

-- Engines whose latencies can be held against one another: what a series is, and why an engine is in none.
CREATE OR REPLACE TEMP MACRO timed_engines() AS TABLE
SELECT *,
    CASE
        WHEN latency_ms IS NULL THEN 'no latency'
        WHEN model IS NULL AND model_sha256 IS NULL THEN 'no name of the model'
        WHEN gpu IS NULL THEN 'no name of the GPU'
        WHEN when_s IS NULL THEN 'no time stamps'
    END AS left_out,
    hash(model, coalesce(network, ''), gpu, coalesce(settings, ''), latency_source) AS series
FROM engines
WHERE is_calibration IS DISTINCT FROM true;

-- How many standard errors of a normal value two sides differ by: Student's t of their sums, sums of squares and lengths. CUDA events
-- tell times apart by 0.0005 ms: the variance that this leaves in one value of the size `middle` is added.
CREATE OR REPLACE TEMP MACRO sides_z(s1, q1, s2, q2, n1, n2, middle) AS normal_of_t(
    (s2 / n2 - s1 / n1) / sqrt(((greatest(q1 - s1 * s1 / n1, 0) + greatest(q2 - s2 * s2 / n2, 0)) / (n1 + n2 - 2)
        + 0.0005 * 0.0005 / (middle * middle * 12)) * (1 / n1 + 1 / n2)),
    n1 + n2 - 2);

-- The same of the runs (a, k] and (k, b] of a series, from the sums `s` and the sums of squares `q` up to each place.
CREATE OR REPLACE TEMP MACRO split_z(s, q, a, k, b, middle) AS
    sides_z(s[k + 1] - s[a + 1], q[k + 1] - q[a + 1], s[b + 1] - s[k + 1], q[b + 1] - q[k + 1], k - a, b - k, middle);

-- Steps in series of positive times in ms: binary segmentation on logarithms. `points` names a relation of series, moment, run_id and value.
-- A split counts whose sides, of 4 runs at least, differ by more than 4.6 standard errors; they reach to the ends of the segment, or
-- 12 runs far, so that short steps are seen too. In the end each place is looked for again between its neighbours. Most series have no
-- split at all, and are left out before their runs are listed. A difference that the timer cannot show is no step.
CREATE OR REPLACE TEMP MACRO steps(points) AS TABLE
WITH RECURSIVE centred AS (
    SELECT series, moment, run_id, value, avg(ln(value)) OVER (PARTITION BY series) AS centre, ln(value) - centre AS x
    FROM query_table(points) WHERE value > 0
),
summed AS MATERIALIZED (
    SELECT series, moment, run_id, value, centre, row_number() OVER w AS i, sum(x) OVER w AS s, sum(x * x) OVER w AS q
    FROM centred WINDOW w AS (PARTITION BY series ORDER BY moment, run_id)
),
sums AS MATERIALIZED (
    SELECT series, count(*) AS n, list_concat([0.0], list(s ORDER BY i)) AS s, list_concat([0.0], list(q ORDER BY i)) AS q,
        median(value) AS middle, any_value(centre) AS centre
    FROM summed GROUP BY series HAVING count(*) >= 8
),
split AS (
    SELECT series
    FROM (SELECT series, n, s, q, middle, unnest(range(4, n - 3)) AS k FROM sums)
    GROUP BY series
    HAVING max(greatest(split_z(s, q, 0, k, n, middle), split_z(s, q, greatest(k - 12, 0), k, least(k + 12, n), middle))) > 4.6
),
lists AS MATERIALIZED (
    SELECT sums.*, runs, moments
    FROM sums JOIN (
        SELECT series, list(run_id ORDER BY i) AS runs, list(moment ORDER BY i) AS moments
        FROM summed JOIN split USING (series) GROUP BY series
    ) USING (series)
),
segments AS (
    SELECT series, 0::BIGINT AS low, n AS high FROM lists
    UNION ALL
    SELECT series, unnest([low, split]) AS low, unnest([split, high]) AS high
    FROM (
        SELECT series, low, high, arg_max(k, z) AS split
        FROM (
            SELECT series, low, high, k, split_z(s, q, greatest(low, k - width), k, least(high, k + width), middle) AS z
            FROM (SELECT series, low, high, unnest(range(low + 4, high - 3)) AS k FROM segments WHERE high - low >= 8)
            JOIN lists USING (series)
            CROSS JOIN (VALUES (12), (1000000000)) AS widths (width)
        )
        GROUP BY series, low, high HAVING max(z) > 4.6
    )
),
splits AS (
    SELECT series, low AS k, lag(low, 1, 0) OVER w AS low, lead(low, 1, n) OVER w AS high
    FROM (SELECT DISTINCT series, low FROM segments WHERE low > 0) JOIN lists USING (series)
    WINDOW w AS (PARTITION BY series ORDER BY low)
),
placed AS (
    SELECT series, arg_max(k, split_z(s, q, low, k, high, middle)) AS low
    FROM (
        SELECT series, low, high, k AS first_k, unnest(range(k - (k - low - 1) // 2, k + (high - k - 1) // 2 + 1)) AS k FROM splits
    ) JOIN lists USING (series)
    GROUP BY series, first_k
),
parts AS (
    SELECT series, low, lead(low, 1, n) OVER (PARTITION BY series ORDER BY low) AS high
    FROM (SELECT series, low FROM placed UNION ALL SELECT DISTINCT series, 0 FROM placed) JOIN lists USING (series)
),
levels AS (
    SELECT series, low, high, high - low AS own_runs, s[high + 1] - s[low + 1] AS total, exp(total / own_runs + centre) AS level,
        sqrt(greatest(q[high + 1] - q[low + 1] - total ** 2 / own_runs, 0) / (own_runs - 1)) AS noise
    FROM parts JOIN lists USING (series)
)
SELECT later.series, earlier.level AS before, later.level AS after, 100 * (later.level / earlier.level - 1) AS step_percent,
    100 * greatest(earlier.noise, later.noise) AS noise_percent, earlier.own_runs AS runs_before, later.own_runs AS runs_after,
    runs[later.low] AS last_run, runs[later.low + 1] AS first_run, moments[later.low + 1] AS moment, later.high = n AS latest
FROM levels later
JOIN levels earlier ON earlier.series = later.series AND earlier.high = later.low
JOIN lists ON lists.series = later.series
WHERE abs(later.level - earlier.level) > 0.00055;

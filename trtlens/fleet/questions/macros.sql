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

-- How many standard errors of a normal value the two sides of a split differ by: Student's t of (a, k] and (k, b], from the sums `s`
-- and the sums of squares `q` up to each place. Times are printed with a resolution, so that equal ones do not lack all noise.
CREATE OR REPLACE TEMP MACRO split_z(s, q, a, k, b, middle) AS normal_of_t(
    ((s[b + 1] - s[k + 1]) / (b - k) - (s[k + 1] - s[a + 1]) / (k - a)) / greatest(
        sqrt((greatest(q[k + 1] - q[a + 1] - (s[k + 1] - s[a + 1]) ** 2 / (k - a), 0)
            + greatest(q[b + 1] - q[k + 1] - (s[b + 1] - s[k + 1]) ** 2 / (b - k), 0)) / (b - a - 2) * (1 / (k - a) + 1 / (b - k))),
        0.0005 / middle),
    b - a - 2);

-- Steps in series of positive values: binary segmentation on logarithms. `points` names a relation of series, moment, run_id and value.
-- A split counts whose sides, of 4 runs at least, differ by more than 4.6 standard errors; they reach to the ends of the segment, or
-- 12 runs far, so that short steps are seen too. In the end each place is looked for again between its neighbours.
CREATE OR REPLACE TEMP MACRO steps(points) AS TABLE
WITH RECURSIVE numbered AS (
    SELECT series, moment, run_id, value, ln(value) - avg(ln(value)) OVER (PARTITION BY series) AS x,
        row_number() OVER (PARTITION BY series ORDER BY moment, run_id) AS i
    FROM query_table(points) WHERE value > 0
),
summed AS (
    SELECT series, i, moment, run_id, value, sum(x) OVER w AS s, sum(x * x) OVER w AS q
    FROM numbered WINDOW w AS (PARTITION BY series ORDER BY i)
),
lists AS (
    SELECT series, count(*) AS n, list_concat([0.0], list(s ORDER BY i)) AS s, list_concat([0.0], list(q ORDER BY i)) AS q,
        median(value) AS middle
    FROM summed GROUP BY series HAVING count(*) >= 8
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
levels AS (
    SELECT part.series, low, high, exp(avg(ln(value))) AS level, count(*) AS runs, stddev_samp(ln(value)) AS noise
    FROM (
        SELECT series, low, lead(low, 1, n) OVER (PARTITION BY series ORDER BY low) AS high
        FROM (SELECT series, low FROM placed UNION ALL SELECT DISTINCT series, 0 FROM placed) JOIN lists USING (series)
    ) AS part
    JOIN summed ON summed.series = part.series AND i > low AND i <= high
    GROUP BY part.series, low, high
)
SELECT later.series, earlier.level AS before, later.level AS after, 100 * (later.level / earlier.level - 1) AS step_percent,
    100 * greatest(earlier.noise, later.noise) AS noise_percent, earlier.runs AS runs_before, later.runs AS runs_after,
    last.run_id AS last_run, first.run_id AS first_run, first.moment AS moment,
    later.high = max(later.high) OVER (PARTITION BY later.series) AS latest
FROM levels later
JOIN levels earlier ON earlier.series = later.series AND earlier.high = later.low
JOIN summed last ON last.series = later.series AND last.i = later.low
JOIN summed first ON first.series = later.series AND first.i = later.low + 1;

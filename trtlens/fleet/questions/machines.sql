-- Which machines time the same tactics slower than others with the same GPU?
-- place 9
-- chart bar machine slower_percent gpu
-- column gpu | text | | GPU
-- column machine | text | | machine: its label, else the UUID of its GPU
-- column runs | int | | runs of it
-- column compared | int | | tactics that other machines timed too: same GPU and version, kernel, and shapes, types and layouts of the tensors
-- column slower_percent | float | % | median over them of its time beside the median of all machines
-- column worst_percent | float | % | the same, of the tactic in the slowest twentieth
-- column slower_share_percent | float | % | share of them that it times slower
WITH timed AS (
    SELECT gpu, machine, run_id, median(tuner_ms) OVER w AS usual, tuner_ms, hash(engine_layers.trt, shapes, tactic_id, tactic_name) AS work
    FROM engine_layers JOIN engines USING (run_id, build)
    WHERE tuner_ms > 0 AND shapes IS NOT NULL AND tactic_id IS NOT NULL AND machine IS NOT NULL AND gpu IS NOT NULL
    WINDOW w AS (PARTITION BY gpu, hash(engine_layers.trt, shapes, tactic_id, tactic_name))
),
own AS (
    SELECT gpu, machine, work, any_value(usual) AS usual, median(tuner_ms) AS tuner_ms FROM timed GROUP BY gpu, machine, work
),
shared AS (
    FROM own SELECT *, 100 * (tuner_ms / usual - 1) AS slower QUALIFY count(*) OVER (PARTITION BY gpu, work) > 1
)
SELECT gpu, machine, (SELECT count(DISTINCT run_id) FROM timed WHERE timed.machine = shared.machine AND timed.gpu = shared.gpu) AS runs,
    count(*) AS compared, median(slower) AS slower_percent, quantile_cont(slower, 0.95) AS worst_percent,
    100 * avg((slower > 0)::INT) AS slower_share_percent
FROM shared GROUP BY gpu, machine ORDER BY slower_percent DESC, gpu, machine;

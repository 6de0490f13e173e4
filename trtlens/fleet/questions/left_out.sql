-- Which engines are in no series, and why?
-- place 4
-- chart bar reason engines
-- column reason | text | | why the latency cannot be held against others
-- column engines | int | | builds, or loaded engines
-- column runs | int | | runs that they are in
-- column example | text | | where the first of them came from
SELECT left_out AS reason, count(*) AS engines, count(DISTINCT run_id) AS runs, min(source) AS example
FROM timed_engines() JOIN (SELECT run_id, source FROM runs) USING (run_id)
WHERE left_out IS NOT NULL GROUP BY left_out ORDER BY engines DESC, reason;

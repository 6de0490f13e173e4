-- Which warnings and errors are new: in which version, run and at what time was each first seen?
-- place 11
-- chart bar code runs severity
-- column first_at | text | | time stamp of the first run that has it, in its log's own clock; empty where no log with it has time stamps
-- column severity | text | | severity
-- column code | text | | what it means, see docs/messages.md; empty without a known meaning
-- column example | text | | the message in the first run
-- column messages | int | | how many there are
-- column runs | int | | runs that have it
-- column versions | text | | TensorRT versions that print it
-- column models | int | | models that have it
-- column first_run | text | | first run that has it
SELECT strftime(make_timestamp((min(when_s) * 1000000)::BIGINT), '%Y-%m-%d %H:%M:%S') AS first_at, severity, code,
    coalesce(arg_min(text, when_s), min(text)) AS example, sum(count) AS messages, count(DISTINCT run_id) AS runs,
    array_to_string(list_sort(list(DISTINCT messages.trt)), ', ') AS versions, count(DISTINCT model) AS models, coalesce(arg_min(run_id, when_s), min(run_id)) AS first_run
FROM messages LEFT JOIN (SELECT run_id, build, when_s, model FROM engines) USING (run_id, build)
WHERE severity IN ('warning', 'error', 'internal error')
GROUP BY severity, code, CASE WHEN code IS NULL THEN regexp_replace(text, '[0-9]+', '0', 'g') END
ORDER BY first_at DESC NULLS LAST, severity, code, example;

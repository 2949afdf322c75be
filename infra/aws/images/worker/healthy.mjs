// Exits 0 while the worker of this container polls its task queue, by the metrics that it serves to itself.
const metrics = await fetch(`http://${process.env.MERIDIAN_METRICS_ADDRESS}/metrics`, { signal: AbortSignal.timeout(5_000) });
const pollers = [...(await metrics.text()).matchAll(/^temporal_num_pollers\{.*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
if (pollers === 0) throw new Error('The worker has no poller');

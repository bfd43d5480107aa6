// Makes calls with Segment's official library for browsers, unchanged (its bundle of dist/umd); used by page.html.
"use strict";

async function run(job) {
  const errors = [];
  let analytics;
  try {
    [analytics] = await AnalyticsNext.AnalyticsBrowser.load(
      { writeKey: job.key, cdnURL: job.address },
      { useQueryString: job.query },
    );
  } catch (error) {
    return { errors: [String(error.message || error)] };
  }
  const make = {
    identify: (call, options) => analytics.identify(call.userId, call.traits, options),
    track: (call, options) => analytics.track(call.event, call.properties, options),
    page: (call, options) => analytics.page(call.category, call.name, call.properties, options),
    screen: (call, options) => analytics.screen(call.category, call.name, call.properties, options),
    group: (call, options) => analytics.group(call.groupId, call.traits, options),
    alias: (call, options) => analytics.alias(call.userId, call.previousId, options),
  };
  analytics.on("error", (error) => errors.push(String(error)));
  for (const call of job.calls) {
    const options = { context: call.context || {} };
    if (call.timestamp) options.timestamp = new Date(call.timestamp);
    if (call.anonymousId) analytics.setAnonymousId(call.anonymousId);
    if (call.userId && call.type !== "identify" && call.type !== "alias") analytics.user().id(call.userId);
    await Promise.race([make[call.type](call, options), new Promise((go) => setTimeout(go, 5000))]);
    await new Promise((go) => setTimeout(go, job.pause * 1000));
  }
  return { errors };
}

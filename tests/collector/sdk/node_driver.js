// Makes calls with one of the official Node libraries, unchanged; the job comes on the standard input as JSON.
"use strict";
const { readFileSync } = require("node:fs");

const job = JSON.parse(readFileSync(0, "utf8"));
const errors = [];
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function segment() {
  const { Analytics } = require("@segment/analytics-node");
  const client = new Analytics({ writeKey: job.key, host: job.address, flushAt: job.batch, flushInterval: 1000 });
  client.on("error", (error) => errors.push(String(error.reason || error.code)));
  return {
    make: ({ type, timestamp, ...call }) => client[type]({ ...call, ...(timestamp && { timestamp: new Date(timestamp) }) }),
    end: () => client.closeAndFlush({ timeout: job.longest * 1000 }),
  };
}

function rudder() {
  const Analytics = require("@rudderstack/rudder-sdk-node");
  let answered = 0;
  let made = 0;
  const client = new Analytics(job.key, {
    dataPlaneUrl: job.address, flushAt: job.batch, flushInterval: 1000, gzip: job.gzip, logLevel: "error",
    errorHandler: () => {}, // without one a refused batch ends the process
  });
  return {
    // Its events have their time in originalTimestamp; a `timestamp` is passed on beside it.
    make: ({ type, timestamp, ...call }) => {
      made += 1;
      client[type]({ ...call, ...(timestamp && { originalTimestamp: new Date(timestamp) }) }, (error) => {
        answered += 1;
        if (error) errors.push(String(error.message || error));
      });
    },
    end: async () => {
      const until = Date.now() + job.longest * 1000;
      while (answered < made && Date.now() < until) {
        await client.flush();
        await wait(100);
      }
    },
  };
}

(async () => {
  const driver = job.library.startsWith("@segment") ? segment() : rudder();
  for (const call of job.calls) {
    driver.make(call);
    await wait(job.pause * 1000);
  }
  await driver.end();
  process.stdout.write(JSON.stringify({ errors }), () => process.exit(0));
})();

// Runs calls of the client's usages, each as it is given, and prints what came of them.
import RebillyAPI from "rebilly-js-sdk";

const { url, apiKey, organizationId, calls } = JSON.parse(process.argv[2]);
const api = RebillyAPI({ apiKey, organizationId, urls: { live: url, sandbox: url } });

async function outcome([method, options]) {
  try {
    const answer = await api.usages[method](options);
    if (method !== "getAll") return { status: answer.response.status, fields: answer.fields };
    const { items, total, limit, offset } = answer;
    return { items: items.map((item) => item.fields), total, limit, offset };
  } catch (error) {
    const { name, status, message, invalidFields } = error;
    return { name, status, message, invalidFields };
  }
}

const outcomes = [];
for (const call of calls) outcomes.push(await outcome(call));
console.log(JSON.stringify(outcomes));

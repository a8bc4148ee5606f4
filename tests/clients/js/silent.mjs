// What both SDKs make of an upstream that is silent for longer than any router waits, one JSON line
// for each thing asked.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const url = process.env.OPENAI_BASE_URL;
const openai = new OpenAI({ apiKey: "anything", baseURL: `${url}/v1`, maxRetries: 0 });
const anthropic = new Anthropic({ apiKey: "anything", baseURL: url, maxRetries: 0 });
const asked = { model: "gpt-4o", messages: [{ role: "user", content: "Hi" }] };
const said = (value) => console.log(JSON.stringify(value));

said((await openai.chat.completions.create(asked)).choices[0].message.content);

let text = "";
for await (const chunk of await openai.chat.completions.create({ ...asked, stream: true })) {
  text += chunk.choices[0]?.delta?.content ?? "";
}
said(text);

said((await anthropic.messages.create({ ...asked, max_tokens: 99 })).content[0].text);

const message = await anthropic.messages.stream({ ...asked, max_tokens: 99 }).finalMessage();
said([message.content[0].text, message.stop_reason]);

try {
  for await (const chunk of await openai.chat.completions.create({ ...asked, stream: true })) said(chunk);
} catch (error) {
  said([error instanceof OpenAI.APIError, error.code]);
}

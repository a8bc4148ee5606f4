// An agent of the AI SDK: node ai_sdk.mjs API URL MODEL PROMPT; prints what it streams.
import { readFile } from "node:fs/promises";
import { streamText, tool, stepCountIs } from "ai";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { z } from "zod";

const [api, url, model, prompt] = process.argv.slice(2);
const apiKey = "sk-any";
const providers = {
  chat: () => createOpenAICompatible({ name: "llmgate", apiKey, baseURL: `${url}/v1` }),
  Responses: () => createOpenAI({ apiKey, baseURL: `${url}/v1` }),
  Messages: () => createAnthropic({ apiKey, baseURL: `${url}/v1` }),
  Gemini: () => createGoogleGenerativeAI({ apiKey, baseURL: `${url}/v1beta` }),
};

const result = streamText({
  model: providers[api]()(model),
  system: "You are terse.",
  prompt,
  maxRetries: 0,
  stopWhen: stepCountIs(5),
  // The gateway keeps no state: with it, the SDK refers to the items of earlier steps.
  providerOptions: { openai: { store: false } },
  tools: {
    read_file: tool({
      description: "Read a file.",
      inputSchema: z.object({ path: z.string() }),
      execute: ({ path }) => readFile(path, "utf-8"),
    }),
  },
  onError: ({ error }) => {
    console.error(error);
    process.exitCode = 1;
  },
});
for await (const text of result.textStream) process.stdout.write(text);
console.log();

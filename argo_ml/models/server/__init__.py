"""The backend for servers with OpenAI's interface: vLLM, llama.cpp, Ollama, TGI and others."""

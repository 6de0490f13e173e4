// Times an engine file with CUDA events in a plain loop that shares no code with trtlens: the reference of timing_processes.py.
//
//   g++ -O2 -std=c++17 event_loop.cpp -I TENSORRT/include -I CUDA/include -L CUDA/lib -lcudart -l:libnvinfer.so.8 -o event_loop
//   event_loop ENGINE graph|stream WARM_UP_MS DURATION_MS
//
// Inputs are zero bytes, the shapes those that the first optimization profile calls usual. Every inference stands between two
// events of its own; all are read when the stream is idle. Prints the median of the GPU times in milliseconds, and how many.

#include <NvInfer.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

namespace {

class Logger : public nvinfer1::ILogger {
    void log(Severity severity, char const* text) noexcept override {
        if (severity <= Severity::kERROR) std::fprintf(stderr, "%s\n", text);
    }
};

void check(cudaError_t code) {
    if (code != cudaSuccess) {
        std::fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(code));
        std::exit(3);
    }
}

std::size_t widest(nvinfer1::Dims const& dims) {
    std::size_t values = 1;
    for (int axis = 0; axis < dims.nbDims; ++axis) values *= static_cast<std::size_t>(std::max<int64_t>(dims.d[axis], 1));
    return values * 8;  // bytes of the widest type, enough for every one
}

void bind(nvinfer1::ICudaEngine& engine, nvinfer1::IExecutionContext& context) {
    for (int pass = 0; pass < 2; ++pass) {  // outputs have shapes once the inputs have
        for (int index = 0; index < engine.getNbIOTensors(); ++index) {
            char const* name = engine.getIOTensorName(index);
            bool const input = engine.getTensorIOMode(name) == nvinfer1::TensorIOMode::kINPUT;
            if (input != (pass == 0)) continue;
            auto const declared = engine.getTensorShape(name);
            if (input && std::any_of(declared.d, declared.d + declared.nbDims, [](auto extent) { return extent < 0; }))
                context.setInputShape(name, engine.getProfileShape(name, 0, nvinfer1::OptProfileSelector::kOPT));
            void* memory = nullptr;
            std::size_t const bytes = 32 * widest(context.getTensorShape(name));  // vectorized formats pad
            check(cudaMalloc(&memory, bytes));
            check(cudaMemset(memory, 0, bytes));
            context.setTensorAddress(name, memory);
        }
    }
}

double now_ms() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

int main(int count, char** given) {
    if (count != 5) return std::fprintf(stderr, "event_loop ENGINE graph|stream WARM_UP_MS DURATION_MS\n"), 2;
    std::ifstream file(given[1], std::ios::binary);
    std::vector<char> const plan{std::istreambuf_iterator<char>(file), {}};
    Logger logger;
    std::unique_ptr<nvinfer1::IRuntime> runtime{nvinfer1::createInferRuntime(logger)};
    std::unique_ptr<nvinfer1::ICudaEngine> engine{runtime->deserializeCudaEngine(plan.data(), plan.size())};
    if (!engine) return 3;
    std::unique_ptr<nvinfer1::IExecutionContext> context{engine->createExecutionContext()};
    bind(*engine, *context);
    cudaStream_t stream;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    context->enqueueV3(stream);
    check(cudaStreamSynchronize(stream));
    cudaGraphExec_t graph = nullptr;
    if (std::strcmp(given[2], "graph") == 0) {
        cudaGraph_t captured;
        check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        context->enqueueV3(stream);
        check(cudaStreamEndCapture(stream, &captured));
        check(cudaGraphInstantiateWithFlags(&graph, captured, 0));
    }
    auto const launch = [&] {
        if (graph) check(cudaGraphLaunch(graph, stream));
        else context->enqueueV3(stream);
    };
    for (double const began = now_ms(); now_ms() - began < std::atof(given[3]);) {
        for (int burst = 0; burst < 8; ++burst) launch();
        check(cudaStreamSynchronize(stream));
    }
    std::vector<float> times;
    constexpr int burst = 200;
    std::vector<cudaEvent_t> events(2 * burst);
    for (auto& event : events) check(cudaEventCreate(&event));
    for (double const began = now_ms(); now_ms() - began < std::atof(given[4]);) {
        for (int number = 0; number < burst; ++number) {
            check(cudaEventRecord(events[2 * number], stream));
            launch();
            check(cudaEventRecord(events[2 * number + 1], stream));
        }
        check(cudaStreamSynchronize(stream));
        for (int number = 8; number < burst; ++number) {  // the first ones wait for the host
            float elapsed = 0;
            check(cudaEventElapsedTime(&elapsed, events[2 * number], events[2 * number + 1]));
            times.push_back(elapsed);
        }
    }
    std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
    std::printf("%.6f %zu\n", times[times.size() / 2], times.size());
    return 0;
}

# Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := work_dirs/demo
DEMO_RAW := data/drawn_emoset
DEMO_DATA := data/drawn_emoset_prepared
DEMO_LABELLED := data/drawn_emo8
DEMO_CLIP := work_dirs/demo_clip
DEMO_CONFIG := configs/uniemox_vit-tiny_demo.py
DEMO_FINETUNE := configs/finetune/vit-tiny_demo.py
# 2 test processes with 1 thread each suit a 2-core machine.
TEST_PROCESSES ?= 2
BENCHMARK := work_dirs/benchmark

.DELETE_ON_ERROR:
.PHONY: help install demo page test test-long benchmark lint format clean

help:
	@echo 'make demo     pretrain, fine-tune, test on drawn pictures ($(DEMO))'
	@echo 'make page     show the demo in the browser (after make demo)'
	@echo 'make test     run the tests'
	@echo 'make test-long   those left out of it, which take minutes'
	@echo 'make benchmark   measure this machine ($(BENCHMARK))'
	@echo 'make lint     check style and types'
	@echo 'make format   lay the code out'
	@echo 'make install  only make $(VENV)'
	@echo 'make clean    remove $(VENV), the drawn data and $(DEMO)'

install: $(STAMP)

$(STAMP): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; \
	sys.exit(None if (3, 10) <= v <= (3, 12) else \
	"Python 3.10 to 3.12 is needed, not %d.%d: make PYTHON=python3.11" % v)'
	$(PYTHON) -m venv --clear $(VENV)
	@echo 'Installing pinned versions, about 2 minutes ...'
	$(BIN)/pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[mm,dev]'
	@# mmcv asks for opencv-python, which needs libGL; a bare machine has none.
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps \
	  --force-reinstall --constraint constraints.txt opencv-python-headless
	@touch $@

demo: $(STAMP)
	@mkdir -p $(DEMO)
	@$(BIN)/python tools/demo/draw_dataset.py $(DEMO_RAW)
	@$(BIN)/python tools/demo/draw_dataset.py $(DEMO_LABELLED) --layout emo8
	@$(BIN)/python tools/dataset_converters/prepare_emoset.py $(DEMO_RAW) \
	  --out $(DEMO_DATA) --short-side 128 --persons $(DEMO_RAW)/persons.json
	@rm -rf $(DEMO)/* $(DEMO_CLIP)
	@$(BIN)/python tools/visualization/browse_pairs.py $(DEMO_CONFIG) \
	  --num 8 --out $(DEMO)/pairs.png
	@$(BIN)/python tools/demo/train_clip.py $(DEMO_CONFIG) \
	  --out $(DEMO_CLIP)/clip.pt
	@echo 'Pretraining; the log goes to $(DEMO)/console.log'
	@$(BIN)/python tools/train.py $(DEMO_CONFIG) --work-dir $(DEMO) \
	  > $(DEMO)/console.log || (tail -n 20 $(DEMO)/console.log; exit 1)
	@$(BIN)/python tools/visualization/training_curves.py $(DEMO) \
	  --out $(DEMO)/pretraining.png
	@$(BIN)/python tools/visualization/reconstruct.py \
	  --checkpoint $(DEMO) --out $(DEMO)/reconstructions.png
	@echo 'Fine-tuning on 40 pictures; the log goes to $(DEMO)/finetune.log'
	@$(BIN)/python tools/train.py $(DEMO_FINETUNE) --load-from $(DEMO) \
	  --work-dir $(DEMO)/finetune > $(DEMO)/finetune.log \
	  || (tail -n 20 $(DEMO)/finetune.log; exit 1)
	@echo 'The same from scratch; the log goes to $(DEMO)/scratch.log'
	@$(BIN)/python tools/train.py $(DEMO_FINETUNE) \
	  --work-dir $(DEMO)/scratch > $(DEMO)/scratch.log \
	  || (tail -n 20 $(DEMO)/scratch.log; exit 1)
	@$(BIN)/python tools/test.py $(DEMO_FINETUNE) $(DEMO)/finetune
	@$(BIN)/python tools/test.py $(DEMO_FINETUNE) $(DEMO)/scratch \
	  > $(DEMO)/scratch_test.log || (cat $(DEMO)/scratch_test.log; exit 1)
	@$(BIN)/python tools/demo/compare.py $(DEMO)/finetune/test \
	  $(DEMO)/scratch/test
	@$(BIN)/python tools/visualization/training_curves.py $(DEMO)/finetune \
	  $(DEMO)/scratch --out $(DEMO)/finetuning.png
	@$(BIN)/python tools/visualization/cam.py \
	  $(DEMO_LABELLED)/*/00000.jpg --checkpoint $(DEMO)/finetune \
	  $(DEMO)/scratch --out $(DEMO)/cam.png
	@echo 'Checkpoints, logs, pictures and numbers: $(DEMO)'

page: $(STAMP)
	@$(BIN)/python tools/demo/app.py --checkpoint $(DEMO)/finetune \
	  --pretrained $(DEMO) --persons $(DEMO_RAW)/persons.json \
	  --examples $(DEMO_RAW)/image

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES) $(ARGS)

test-long: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES) -m long

# On whatever there is; the steps first, written to take a GPU under 8 minutes.
benchmark: $(STAMP)
	$(BIN)/python tools/benchmark/train_step.py --out $(BENCHMARK)
	$(BIN)/python tools/benchmark/loader.py --out $(BENCHMARK)/loader
	$(BIN)/python tools/benchmark/startup.py --out $(BENCHMARK)/startup

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(DEMO_RAW) $(DEMO_DATA) $(DEMO_LABELLED) $(DEMO) \
	  $(DEMO_CLIP)
